// Package pages is the HTML for people: the pages on which they confirm an
// operation, sign in or choose where to, when their app cannot show it.
//
// Every page is one [Page] through one template. It is plain HTML that works
// without JavaScript (but for the login page, whose result is handed to
// JavaScript, and captchas), fits on a phone and names every field. Scripts and
// styles are files of their own, served under /_matrix/static/, so that the
// Content-Security-Policy forbids everything inline; the page's own URLs are
// relative, so that it works wherever the server is mounted.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

//go:embed static
var static embed.FS

//go:embed page.html
var source string

var page = template.Must(template.New("page").Parse(source))

// Page is what is shown.
type Page struct {
	Title string
	Text  []string // paragraphs
	Error string   // why the last attempt was refused; empty: it was not
	Links []Link   // to choose from or to read
	Form  *Form
	// Script is the static file that the page runs: ScriptDone, ScriptLogin or
	// none.
	Script string
	// Targets are the origins, or schemes with a colon, that the form's answer
	// may redirect to; the server itself may be anyway.
	Targets []string
}

// The scripts a page may run.
const (
	ScriptDone  = "done.js"  // tells the opener that a stage is passed (UIA-29)
	ScriptLogin = "login.js" // signs in (LOGIN-19)
)

// Link leads to another page.
type Link struct {
	Name, URL string
	NewTab    bool
}

// Form is what the page asks for. It is posted to Action, by default to the
// page's own URL.
type Form struct {
	Action string
	Fields []Field
	Widget *Widget
	Submit string // the text of the button
}

// Field is one input.
type Field struct {
	Name         string
	Label        string
	Type         string // of the HTML input: text, password, email, tel, hidden …
	Value        string
	Autocomplete string // as in HTML
}

// Widget is an input of another service, such as a captcha.
type Widget struct {
	Script  string   // URL
	Class   string   // of the element that the script fills
	SiteKey string   // its data-sitekey
	Origins []string // sources that the service loads from, for the page's policy
}

// Write sends a page. root is the relative URL from the request's path to
// /_matrix/; see [Root].
func Write(w http.ResponseWriter, status int, root string, p Page) error {
	var body bytes.Buffer
	data := struct {
		Page
		Root string
	}{p, root}
	if err := page.Execute(&body, data); err != nil {
		return fmt.Errorf("render page %q: %w", p.Title, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // URLs have sessions and tokens in them
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that has gone is not an error
	return nil
}

// policy allows what the page needs and nothing else.
func (p Page) policy() string {
	own := []string{"'self'"}
	scripts, frames, styles := own, []string{"'none'"}, own
	if p.Form != nil && p.Form.Widget != nil {
		frames = p.Form.Widget.Origins
		scripts = slices.Concat(own, frames)
		styles = []string{"'self'", "'unsafe-inline'"} // of the widget
	}
	directives := [][]string{
		{"default-src", "'none'"},
		append([]string{"script-src"}, scripts...),
		append([]string{"style-src"}, styles...),
		append([]string{"frame-src"}, frames...),
		{"connect-src", "'self'"},
		append([]string{"form-action", "'self'"}, p.Targets...),
		{"base-uri", "'none'"},
		{"frame-ancestors", "'none'"},
	}
	lines := make([]string, len(directives))
	for i, d := range directives {
		lines[i] = strings.Join(d, " ")
	}
	return strings.Join(lines, "; ")
}

// Root returns the relative URL from an escaped path under /_matrix/ to
// /_matrix/.
func Root(path string) string { return strings.Repeat("../", max(strings.Count(path, "/")-2, 0)) }

// Static sends one of the files that pages refer to, and reports whether there
// is one with that name.
func Static(w http.ResponseWriter, name string) bool {
	body, err := static.ReadFile("static/" + name)
	if err != nil {
		return false
	}
	kind := "text/css; charset=utf-8"
	if strings.HasSuffix(name, ".js") {
		kind = "text/javascript; charset=utf-8"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(body)
	return true
}
