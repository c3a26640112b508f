package homeserver_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// Searches among 100,000 users, of whom everybody may find all, or only the 200 with
// whom they share a room (DIR-1 to DIR-3).
func BenchmarkUserSearch(b *testing.B) {
	file := filepath.Join(b.TempDir(), "hs.db")
	fillDirectory(b, file, 100_000)
	for mode, options := range map[string][]homeserver.Option{"of all": {homeserver.WithOpenUserDirectory()}, "of those one knows": nil} {
		d := newDirect(b, file, options...)
		alice := d.user("alice" + mode[3:5])
		room := d.post("/v3/createRoom", alice, `{"preset":"public_chat"}`).Get("room_id").Str
		d.post("/v3/createRoom", alice, `{}`)
		for i := range 200 {
			session, err := d.srv.SignIn(b.Context(), fmt.Sprintf("u%d", i*500), homeserver.Device{})
			if err != nil {
				b.Fatal(err)
			}
			d.post("/v3/join/"+room, session.Token, "")
		}
		for _, term := range []string{"a", "anna", "smith", "anna smith", "@u77", "u77000:example.org", "nobody"} {
			body := fmt.Sprintf(`{"search_term":%q}`, term)
			b.Run(mode+"/"+term, func(b *testing.B) {
				b.ReportAllocs()
				defer reportCPU(b)()
				for b.Loop() {
					d.post("/v3/user_directory/search", alice, body)
				}
				found := d.post("/v3/user_directory/search", alice, body)
				b.ReportMetric(float64(len(found.Get("results").Array())), "found")
			})
		}
		if err := d.srv.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fillDirectory adds users with a first name and a last name to a database.
func fillDirectory(b *testing.B, file string, users int) {
	st, err := sqlite.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	first := []string{"anna", "annabel", "ben", "carla", "david", "emil", "fatima", "george", "hanna", "igor", "jane", "john"}
	last := []string{"smith", "smithers", "jones", "müller", "garcia", "kowalski", "ivanova", "nguyen", "okafor", "tanaka", "silva"}
	err = st.Update(b.Context(), func(tx store.Tx) error {
		for i := range users {
			user := events.UserID(fmt.Sprintf("@u%d:example.org", i))
			words := []string{fmt.Sprintf("u%d", i), first[i%len(first)], last[i%len(last)]}
			name := store.ProfileField{Name: "displayname", Value: fmt.Appendf(nil, `"%s %s"`, words[1], words[2])}
			if err := tx.CreateUser(store.User{ID: user}); err != nil {
				return err
			}
			if err := tx.PutProfileField(user, name); err != nil {
				return err
			}
			if err := tx.PutUserWords(user, words); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
}
