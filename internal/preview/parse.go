package preview

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What is kept of a page at most.
const (
	maxProperties = 32
	maxName       = 128  // bytes
	maxValue      = 1024 // bytes
	maxImages     = 4
	maxToken      = 256 << 10 // bytes of one tag or text
)

// parse reads what a page says about itself. A page that breaks off has said what it
// has said.
func parse(r io.Reader, base *url.URL) (*Page, error) {
	p := &parser{page: &Page{Properties: make(map[string]string)}, base: base}
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxToken)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, html.ErrBufferExceeded) {
				return nil, fmt.Errorf("read page: %w", err)
			}
			return p.finish(), nil
		case html.StartTagToken, html.SelfClosingTagToken:
			p.tag(z.Token())
		case html.TextToken:
			if p.inTitle {
				p.title += string(z.Text())
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "title" {
				p.inTitle = false
			}
		}
	}
}

type parser struct {
	page        *Page
	base        *url.URL
	inTitle     bool
	title       string
	description string
}

func (p *parser) tag(t html.Token) {
	p.inTitle = t.DataAtom == atom.Title && p.title == "" // there are others, in SVG
	if t.DataAtom != atom.Meta {
		return
	}
	var name, content string
	for _, a := range t.Attr {
		switch a.Key {
		case "property", "name":
			name = strings.ToLower(strings.TrimSpace(a.Val))
		case "content":
			content = a.Val
		}
	}
	switch {
	case name == "og:image", name == "og:image:url", name == "og:image:secure_url":
		p.image(content)
	case strings.HasPrefix(name, "og:image:"): // of a picture that the client will not see
	case strings.HasPrefix(name, "og:"):
		p.set(name, content)
	case name == "description" && p.description == "":
		p.description = content
	}
}

// set keeps the first value of a property.
func (p *parser) set(name, value string) {
	value = tidy(value)
	if p.page.Properties[name] != "" || value == "" || len(name) > maxName || len(p.page.Properties) >= maxProperties {
		return
	}
	p.page.Properties[name] = value
}

func (p *parser) image(ref string) {
	u, err := p.base.Parse(strings.TrimSpace(ref))
	if err != nil || ref == "" || len(p.page.Images) >= maxImages {
		return
	}
	clean, err := Clean(u.String())
	if err != nil {
		return
	}
	for _, known := range p.page.Images {
		if known == clean {
			return
		}
	}
	p.page.Images = append(p.page.Images, clean)
}

func (p *parser) finish() *Page {
	p.set("og:title", p.title)
	p.set("og:description", p.description)
	return p.page
}

// tidy makes one line of a text, of a length that is worth showing.
func tidy(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if len(text) <= maxValue {
		return text
	}
	cut := maxValue - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
