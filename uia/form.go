package uia

import (
	"encoding/json"
	"net/url"
)

// Asker is a [Stage] with a fallback page, on which people whose client does not
// know the stage complete it.
type Asker interface {
	Stage

	// Form returns what the page asks for. op is what is to be confirmed; its
	// User is empty if nobody is signed in.
	Form(op Operation) Form
}

// Form is what a fallback page asks for.
type Form struct {
	Title  string
	Text   string
	Links  []Link  // documents to read
	Fields []Field // what to fill in; each becomes a member of the auth object
	Widget *Widget // a captcha, or nothing
	Submit string  // the text of the button
}

// Link leads to a document.
type Link struct{ Name, URL string }

// Field is one input of a form.
type Field struct {
	Name         string // the member of the auth object
	Label        string
	Type         string // of the HTML input: text, password, email, tel …
	Value        string // to begin with
	Autocomplete string // as in HTML; empty: the browser's choice
}

// Widget is an element that the script of another service fills.
type Widget struct {
	Script  string // URL
	Class   string // of the element
	SiteKey string // its data-sitekey
	// Origins are what the service loads from, for the page's
	// Content-Security-Policy.
	Origins []string
	Input   string // the name of the input that the script adds
	Name    string // the member of the auth object that it becomes
}

// Auth makes the auth object of what was filled in.
func (f Form) Auth(filled url.Values) json.RawMessage {
	members := make(map[string]string, len(f.Fields)+1)
	for _, field := range f.Fields {
		members[field.Name] = filled.Get(field.Name)
	}
	if f.Widget != nil {
		members[f.Widget.Name] = filled.Get(f.Widget.Input)
	}
	auth, err := json.Marshal(members)
	if err != nil { // strings always marshal
		return nil
	}
	return auth
}
