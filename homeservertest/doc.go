// Package homeservertest starts homeservers for tests of clients, bots and
// programs that embed one, as net/http/httptest does for handlers.
//
//	func TestGreeting(t *testing.T) {
//		hs := homeservertest.New(t)
//		alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
//
//		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
//		bob.Join(t, room)
//		greeting := alice.Say(t, room, "hello")
//
//		bob.HearEvent(t, room, greeting)
//	}
//
// A server lives in memory and listens on an address of its own; it starts in
// milliseconds, and a test may have as many as it likes. It is as strict as any
// other, with three exceptions: everybody may register, requests are not
// limited, and passwords are hashed in a way that is fast and not safe. The
// options given to [New] come after these and may take them back.
//
// # Clients
//
// A client that is tested needs the [Server]'s URL and perhaps a token, which
// [Server.User] has. A [Client] plays the others: its methods do one request
// each and end the test with a readable message when the answer is not a
// success. What they take for a body may be a string or []byte with JSON, or
// anything that encoding/json can marshal. For what has no method there is
// [Client.Do]:
//
//	alice.Do(t, "PUT", homeservertest.Path("/v3/directory/room/{}", "#tea:example.org"), body).Want(200)
//	bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/kick", room), body).WantError(403, "M_FORBIDDEN")
//	topic := bob.Get(t, homeservertest.Path("/v3/rooms/{}/state/m.room.topic", room)).Get("topic").String()
//
// Each method takes the test it runs for, so that a client may be shared with
// subtests.
//
// # What goes wrong
//
// The client under test has to cope with more than a server that works.
// [Server.Intercept] puts middleware in front of the server, for refusals, slow
// answers and broken connections. Options of the server do the rest:
// homeserver.WithRateLimit brings back limits, homeserver.WithClock and the
// lifetimes of homeserver.AccountRules let tokens expire, and Server.SignOut
// ends sessions.
//
// # Recording
//
// With HOMESERVER_TEST_RECORD set to a directory, every exchange with the server
// is written to files there, as JSON lines.
package homeservertest
