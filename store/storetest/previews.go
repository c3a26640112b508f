package storetest

import "github.com/ca4c8834/homeserver/store"

func previews() []rule {
	const page = "https://example.org/page"
	put := func(f *fixture, url string, ts int64, content, image string) store.Preview {
		f.Helper()
		p := store.Preview{URL: url, FetchedTS: ts, Content: []byte(content), Image: image}
		f.update(func(tx store.Tx) error { return tx.PutPreview(p) })
		return p
	}
	return []rule{
		{"PreviewBefore returns the newest preview of a page at a time or before, PreviewAfter the oldest after it", func(f *fixture) {
			first, second := put(f, page, 10, `{"n":1}`, "img"), put(f, page, 20, `{"n":2}`, "")
			put(f, page+"2", 15, `{}`, "")
			for ts, want := range map[int64]store.Preview{10: first, 19: first, 20: second, 99: second} {
				f.view(func(v store.View) error {
					got, err := v.PreviewBefore(page, ts)
					equal(f, got, want)
					return err
				})
			}
			for ts, want := range map[int64]store.Preview{0: first, 9: first, 10: second, 19: second} {
				f.view(func(v store.View) error {
					got, err := v.PreviewAfter(page, ts)
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.PreviewBefore(page, 9); return err })
			f.missing(func(v store.View) error { _, err := v.PreviewAfter(page, 20); return err })
			f.missing(func(v store.View) error { _, err := v.PreviewBefore("https://example.org/", 99); return err })
		}},
		{"PutPreview adds a preview, or replaces the one of the same page and time", func(f *fixture) {
			put(f, page, 10, `{"n":1}`, "img")
			want := put(f, page, 10, `{"n":2}`, "img2")
			f.view(func(v store.View) error {
				got, err := v.PreviewBefore(page, 10)
				equal(f, got, want)
				return err
			})
		}},
		{"an empty Content says that the page could not be fetched", func(f *fixture) {
			put(f, page, 10, "", "")
			f.view(func(v store.View) error {
				got, err := v.PreviewBefore(page, 10)
				equal(f, len(got.Content), 0)
				return err
			})
		}},
		{"OldPreviews returns previews of all pages that were fetched before a time, at most limit, oldest first", func(f *fixture) {
			second, first := put(f, page, 20, `{}`, ""), put(f, page+"2", 10, `{}`, "")
			put(f, page, 30, `{}`, "")
			f.view(func(v store.View) error {
				got, err := v.OldPreviews(30, 10)
				equal(f, got, []store.Preview{first, second})
				one, err2 := v.OldPreviews(30, 1)
				equal(f, one, []store.Preview{first})
				f.is(err2, nil)
				return err
			})
		}},
		{"DeletePreview removes a preview; none is no error", func(f *fixture) {
			put(f, page, 10, `{}`, "")
			kept := put(f, page, 20, `{}`, "")
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeletePreview(page, 10) })
			}
			f.view(func(v store.View) error {
				got, err := v.OldPreviews(99, 10)
				equal(f, got, []store.Preview{kept})
				return err
			})
		}},
	}
}
