// Package preview asks web pages what they are about.
//
//	fetcher := preview.New(outbound.New(nil))
//	page, err := fetcher.Page(ctx, "https://example.org/article")
//
// What users want to see a preview of is chosen by anybody who can send them a
// message, so everything about a page is hostile until shown otherwise: its address,
// which the client it is fetched with has to guard (package outbound), what it
// redirects to, how long it is and how long it takes, and what it says. A request
// tells nothing about who asks: no cookies, no referrer, no language (PREV-5).
package preview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html/charset"
)

// ErrURL says that there can be no preview of such a URL.
var ErrURL = errors.New("not the absolute URL of a web page")

// The limits of a page. Those of time are up to the context.
const (
	maxURL       = 4 << 10
	maxPage      = 1 << 20 // bytes after decompression; what a page is about comes first
	maxRedirects = 5
)

// userAgent says what this is, in the way that servers look for.
const userAgent = "Mozilla/5.0 (compatible; Matrix URL preview bot)"

// Fetcher fetches pages. It is safe for concurrent use.
type Fetcher struct{ client http.Client }

// New returns a Fetcher that makes its requests with client.
func New(client *http.Client) *Fetcher {
	f := &Fetcher{*client}
	f.client.Jar = nil
	f.client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		req.Header.Del("Referer")
		_, err := Clean(req.URL.String())
		return err
	}
	return f
}

// Clean returns the URL of a page in the form in which it is fetched and remembered:
// http or https, with a host, without a password and without what only a browser looks
// at. ErrURL.
func Clean(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return "", ErrURL
	}
	if u.Scheme = strings.ToLower(u.Scheme); u.Scheme != "http" && u.Scheme != "https" {
		return "", ErrURL
	}
	u.Host, u.Fragment, u.RawFragment = strings.ToLower(u.Host), "", ""
	return u.String(), nil
}

// Page is what a page says about itself.
type Page struct {
	// Properties are those of OpenGraph without its pictures, which it may lack
	// altogether; title and description may stem from elsewhere (PREV-3). Names begin
	// with "og:".
	Properties map[string]string
	// Images are the URLs of its pictures, absolute and clean, in its order.
	Images []string
}

// Page fetches a page. Of a picture it is the only thing that there is to say. What is
// neither has nothing to say, which is no error; an answer other than 2xx is.
func (f *Fetcher) Page(ctx context.Context, url string) (*Page, error) {
	res, kind, err := f.get(ctx, url, "text/html, application/xhtml+xml, image/*;q=0.5, */*;q=0.1")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	switch {
	case kind == "text/html", kind == "application/xhtml+xml":
		body, err := charset.NewReader(io.LimitReader(res.Body, maxPage), res.Header.Get("Content-Type"))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read page: %w", err)
		}
		if body == nil {
			return &Page{}, nil
		}
		return parse(body, res.Request.URL)
	case strings.HasPrefix(kind, "image/"):
		final, err := Clean(res.Request.URL.String())
		if err != nil {
			return nil, err
		}
		return &Page{Images: []string{final}}, nil
	}
	return &Page{}, nil
}

// Image fetches a picture. The body may be anything, of any length; the caller closes
// it.
func (f *Fetcher) Image(ctx context.Context, url string) (io.ReadCloser, error) {
	res, _, err := f.get(ctx, url, "image/*")
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

// get makes a request and returns the response with its media type in lower case.
func (f *Fetcher) get(ctx context.Context, url, accept string) (res *http.Response, kind string, err error) {
	if url, err = Clean(url); err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrURL, err)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", accept)
	if res, err = f.client.Do(req); err != nil {
		return nil, "", fmt.Errorf("fetch page: %w", err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, "", errors.Join(fmt.Errorf("fetch page: the answer is %s", res.Status), res.Body.Close())
	}
	kind, _, _ = mime.ParseMediaType(res.Header.Get("Content-Type"))
	return res, kind, nil
}
