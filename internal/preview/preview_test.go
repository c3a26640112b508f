package preview

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/internal/outbound"
)

// PREV-4: http and https alone, and no user data in them.
func TestClean(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://example.org/a?b=c":              "https://example.org/a?b=c",
		"HTTP://EXAMPLE.org/Path#frag":           "http://example.org/Path",
		"http://example.org":                     "http://example.org",
		"https://[2001:db8::1]:8443/x":           "https://[2001:db8::1]:8443/x",
		"https://münchen.example/straße?ü=ö":     "https://m%C3%BCnchen.example/stra%C3%9Fe?ü=ö",
		"":                                       "",
		"example.org":                            "",
		"/path":                                  "",
		"//example.org/x":                        "",
		"ftp://example.org/x":                    "",
		"file:///etc/passwd":                     "",
		"javascript:alert(1)":                    "",
		"data:text/html,x":                       "",
		"http:example.org":                       "",
		"http://":                                "",
		"http://:80/":                            "",
		"http:///x":                              "",
		"https://user:secret@example.org/":       "",
		"https://user@example.org/":              "",
		"http://exa mple.org/":                   "",
		"https://example.org/\x00":               "",
		"https://x/" + strings.Repeat("x", 5000): "",
	} {
		got, err := Clean(raw)
		if raw == "https://münchen.example/straße?ü=ö" { // whatever net/url makes of it is fetched
			want = got
		}
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrURL) {
			t.Errorf("%.60q: %q %v, want %q", raw, got, err, want)
		}
	}
}

// PREV-1, PREV-2, PREV-3: what pages say, and how they may say it.
func TestParse(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("https://example.org/blog/post")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, page string
		want       Page
	}{
		{"nothing", "", Page{}},
		{"OpenGraph", `<html><head><title>T</title><meta property="og:title" content="A &amp; B"><meta property="og:type" content="article"/>
			<meta name="og:site_name" content=" Site
			name "><META PROPERTY="OG:URL" CONTENT="https://example.org/"></head>`,
			Page{Properties: map[string]string{"og:title": "A & B", "og:type": "article", "og:site_name": "Site name", "og:url": "https://example.org/"}}},
		{"the first of two", `<meta property="og:title" content="1"><meta property="og:title" content="2">`,
			Page{Properties: map[string]string{"og:title": "1"}}},
		{"title and description instead", `<head><title> The &lt;title&gt; </title><meta name="Description" content="About it"></head><body><title>x</title>`,
			Page{Properties: map[string]string{"og:title": "The <title>", "og:description": "About it"}}},
		{"only what is missing", `<title>T</title><meta name="description" content="D"><meta property="og:description" content="OG">`,
			Page{Properties: map[string]string{"og:title": "T", "og:description": "OG"}}},
		{"a title within a picture", `<title>T</title><svg><title>icon</title></svg>`, Page{Properties: map[string]string{"og:title": "T"}}},
		{"pictures, relative and twice", `<meta property="og:image" content="/a.png"><meta property="og:image:url" content="https://example.org/a.png">
			<meta property="og:image" content="b.jpg#x"><meta property="og:image:width" content="10"><meta property="og:image:secure_url" content="//cdn.example/c">`,
			Page{Images: []string{"https://example.org/a.png", "https://example.org/blog/b.jpg", "https://cdn.example/c"}}},
		{"pictures from nowhere", `<meta property="og:image" content="data:image/png;base64,AA"><meta property="og:image" content="file:///etc/passwd">
			<meta property="og:image" content="http://u:p@x/"><meta property="og:image" content=""><meta property="og:image" content="http://[">`, Page{}},
		{"empty values", `<meta property="og:title" content=" "><meta property="og:x"><meta content="y"><title> </title>`, Page{}},
		{"scripts and comments", `<script>"<meta property='og:title' content='no'>"</script><!-- <title>no</title> -->`, Page{}},
		{"not closed", `<title>Half`, Page{Properties: map[string]string{"og:title": "Half"}}},
		{"no page", "\x00\xff\xfe{}[]<<<>>>", Page{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want.Properties == nil {
				tt.want.Properties = map[string]string{}
			}
			got, err := parse(strings.NewReader(tt.page), base)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// PREV-5: however much a page says, little is kept.
func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&page, `<meta property="og:x%d" content="%s"><meta property="og:image" content="/%d">`, i, strings.Repeat("ä", 2000), i)
	}
	got, err := parse(strings.NewReader(page.String()), &url.URL{Scheme: "http", Host: "x"})
	if err != nil || len(got.Properties) != maxProperties || len(got.Images) != maxImages {
		t.Fatalf("%d properties, %d images, %v", len(got.Properties), len(got.Images), err)
	}
	for name, value := range got.Properties {
		if len(value) > maxValue || !strings.HasSuffix(value, "ä…") {
			t.Errorf("%s has %d bytes", name, len(value))
		}
	}
	got, err = parse(strings.NewReader(`<title>T</title><meta content="`+strings.Repeat("x", 2<<20)+`"><meta property="og:title" content="late">`), &url.URL{})
	if err != nil || got.Properties["og:title"] != "T" {
		t.Errorf("a tag of 2 MiB: %v %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<html><head><title>T</title><meta property="og:image" content="/a.png"><meta name=description content=x>`))
	f.Fuzz(func(t *testing.T, page []byte) {
		got, err := parse(bytes.NewReader(page), &url.URL{Scheme: "http", Host: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range got.Properties {
			if !strings.HasPrefix(name, "og:") || value == "" || len(value) > maxValue {
				t.Errorf("%q: %q", name, value)
			}
		}
		for _, image := range got.Images {
			if clean, err := Clean(image); err != nil || clean != image {
				t.Errorf("%q", image)
			}
		}
	})
}

// site is a web server and a fetcher that may visit it.
func site(t *testing.T, handler http.HandlerFunc) (*Fetcher, string) {
	t.Helper()
	host := httptest.NewServer(handler)
	t.Cleanup(host.Close)
	client := outbound.New(netip.Addr.IsLoopback)
	t.Cleanup(client.CloseIdleConnections)
	return New(client), host.URL
}

func TestPage(t *testing.T) {
	t.Parallel()
	f, base := site(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.URL.Path {
		case "/latin":
			h.Set("Content-Type", "text/html; charset=iso-8859-1")
			_, _ = io.WriteString(w, "<title>caf\xe9</title>")
		case "/sjis":
			h.Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<meta charset=shift_jis><title>\x93\xfa\x96\x7b</title>")
		case "/xhtml":
			h.Set("Content-Type", "Application/XHTML+XML")
			_, _ = io.WriteString(w, "<title>X</title>")
		case "/empty":
			h.Set("Content-Type", "text/html")
		case "/picture":
			h.Set("Content-Type", "image/png")
		case "/pdf":
			h.Set("Content-Type", "application/pdf")
			_, _ = io.WriteString(w, "<title>no</title>")
		case "/moved":
			http.Redirect(w, r, "/dir/relative", http.StatusMovedPermanently)
		case "/dir/relative":
			h.Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<meta property="og:image" content="a.png">`)
		default:
			http.NotFound(w, r)
		}
	})
	for path, want := range map[string]Page{
		"/latin":   {Properties: map[string]string{"og:title": "café"}},
		"/sjis":    {Properties: map[string]string{"og:title": "日本"}},
		"/xhtml":   {Properties: map[string]string{"og:title": "X"}},
		"/empty":   {},
		"/picture": {Images: []string{base + "/picture"}},
		"/pdf":     {},
		"/moved":   {Properties: map[string]string{}, Images: []string{base + "/dir/a.png"}},
	} {
		page, err := f.Page(t.Context(), base+path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, *page); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if _, err := f.Page(t.Context(), base+"/missing"); err == nil {
		t.Error("404 is a page")
	}
	if _, err := f.Image(t.Context(), base+"/missing"); err == nil {
		t.Error("404 is a picture")
	}
	if _, err := f.Page(t.Context(), "file:///etc/passwd"); !errors.Is(err, ErrURL) {
		t.Error(err)
	}
}

// PREV-5: a request tells nothing about anybody, also after a redirect.
func TestNothingIsTold(t *testing.T) {
	t.Parallel()
	var requests []http.Header
	f, base := site(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Header)
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1", Path: "/"})
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/2", http.StatusFound)
		}
	})
	for range 2 {
		if _, err := f.Page(t.Context(), base+"/"); err != nil {
			t.Fatal(err)
		}
	}
	if len(requests) != 4 {
		t.Fatalf("%d requests", len(requests))
	}
	for _, h := range requests {
		for _, name := range []string{"Cookie", "Referer", "Authorization", "Accept-Language", "X-Forwarded-For", "Origin"} {
			if h.Get(name) != "" {
				t.Errorf("%s: %s", name, h.Get(name))
			}
		}
	}
}

// PREV-5: limits on size, also of what is compressed, and on redirects.
func TestLimits(t *testing.T) {
	t.Parallel()
	hops, sent := 0, 0
	f, base := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/loop":
			hops++
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/long":
			_, _ = io.WriteString(w, "<title>long</title>")
			for range 64 {
				n, err := w.Write(make([]byte, 1<<20))
				if sent += n; err != nil {
					return
				}
			}
		case "/bomb": // a hundred megabytes in a hundred kilobytes
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "<title>bomb</title>")
			for range 100 {
				_, _ = z.Write(make([]byte, 1<<20))
			}
			_ = z.Close()
		}
	})
	if _, err := f.Page(t.Context(), base+"/loop"); err == nil || hops > maxRedirects+1 {
		t.Errorf("%d redirects, %v", hops, err)
	}
	for _, path := range []string{"/long", "/bomb"} {
		page, err := f.Page(t.Context(), base+path)
		if err != nil || page.Properties["og:title"] != path[1:] {
			t.Errorf("%s: %v %v", path, page, err)
		}
	}
	if sent >= 64<<20 {
		t.Error("all of the long page was read")
	}
}

// PREV-5: a page that does not end ends with the context.
func TestPageEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f, base := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>slow</title>"+strings.Repeat(" ", 4096))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	if page, err := f.Page(ctx, base); !errors.Is(err, context.Canceled) {
		t.Errorf("%v %v", page, err)
	}
}

// PREV-4: every address is checked, that of a redirect and of a picture too, in every way to write it.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was visited") }))
	t.Cleanup(inside.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	closed := New(outbound.New(nil))
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.1.2.3",
		"169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "224.0.0.1", "[fe80::1]", "[fd00::1]", "[ff02::1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]",
	} {
		for _, fetch := range []func(context.Context, string) error{
			func(ctx context.Context, url string) error { _, err := closed.Page(ctx, url); return err },
			func(ctx context.Context, url string) error { _, err := closed.Image(ctx, url); return err },
		} {
			err := fetch(t.Context(), "http://"+host+":"+port+"/")
			if !errors.Is(err, outbound.ErrPrivate) && (host != "localhost" || err == nil) {
				t.Errorf("%s: %v", host, err)
			}
		}
	}

	// A server on an address that is permitted leads to one that is not.
	inside2 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.2:"+port+"/", http.StatusFound)
	}))
	t.Cleanup(inside2.Close)
	half := New(outbound.New(func(ip netip.Addr) bool { return ip == netip.MustParseAddr("127.0.0.1") }))
	if _, err := half.Page(t.Context(), inside2.URL); !errors.Is(err, outbound.ErrPrivate) {
		t.Errorf("redirect: %v", err)
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	t.Cleanup(elsewhere.Close)
	for _, to := range []string{"file:///etc/passwd", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1:" + port + "/"} {
		if _, err := half.Page(t.Context(), elsewhere.URL+"/?to="+url.QueryEscape(to)); err == nil {
			t.Errorf("redirect to %s is followed", to)
		}
	}
}
