package api

import (
	"bytes"
	"io"
	"mime"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/internal/content"
)

// closable is content in memory.
type closable struct{ *bytes.Reader }

func (closable) Close() error { return nil }

// MEDIA-28: whatever range is asked for, the answer is all of it, a part that exists, or a refusal like any other.
func FuzzRange(f *testing.F) {
	for _, header := range []string{"bytes=0-3", "bytes=-2", "bytes=10-", "bytes=1-2,4-5", "bytes=5-2", "bytes=,", "lines=1", "bytes=-", "bytes= 1 - 2", "bytes=9-9999999999999999999"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Range"] = []string{header}
		w := httptest.NewRecorder()
		err := sendFile(w, r, &content.File{Size: 10, Tag: "t", Content: closable{bytes.NewReader([]byte("0123456789"))}})
		if err != nil {
			if told := refusal(err); told == nil {
				t.Fatal(err)
			} else if status, _ := told.MatrixResponse(); status != 416 || w.Body.Len() != 0 {
				t.Errorf("%d, and %q was sent before", status, w.Body)
			}
			return
		}
		if w.Code != 200 && w.Code != 206 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// MEDIA-22, MEDIA-24, MEDIA-25: whatever an upload is called, the headers are two headers, and mean what they say.
func FuzzContentHeaders(f *testing.F) {
	f.Add("text/plain", "a.txt")
	f.Add("text/html; charset=utf-8", "☕\r\nX: y")
	f.Add("image/png\r\n", `a"b;c\d/e`)
	f.Fuzz(func(t *testing.T, contentType, name string) {
		kind, disposition := contentHeaders(&content.File{Type: contentType, Name: name})
		for _, header := range []string{kind, disposition} {
			if strings.ContainsFunc(header, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				t.Errorf("%q in a header", header)
			}
		}
		shown, params, err := mime.ParseMediaType(disposition)
		if err != nil || shown != "inline" && shown != "attachment" || strings.ContainsAny(params["filename"], "/\\\r\n\x00") {
			t.Fatalf("%q: %q %q %v", name, shown, params, err)
		}
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || shown == "inline" && (media == "text/html" || media == "image/svg+xml" || !strings.Contains(media, "/")) {
			t.Errorf("%q is %s %q %v", contentType, shown, kind, err)
		}
	})
}

var _ io.ReadSeekCloser = closable{}
