// Package homeserver puts a complete Matrix homeserver into a Go program: a
// chat server for the users of that program, which clients such as Element talk
// to. It serves the Client-Server API of the Matrix specification, version 1.19
// and back to r0. It is one server whose users are all its own: it does not
// federate with others.
//
//	st, err := sqlite.Open("chat.db")
//	…
//	srv, err := homeserver.New("example.org",
//		homeserver.WithStore(st),
//		homeserver.WithMediaStore(media.Dir("media")),
//		homeserver.WithPublicURL("https://example.org"))
//	…
//	defer srv.Close()
//	http.ListenAndServe(":8008", srv)
//
// # Mounting
//
// A [Server] is an http.Handler. It answers below "/_matrix/" and
// "/.well-known/matrix/", under any prefix: it looks for these in the path and
// does not care what comes before, so that it works with and without
// http.StripPrefix. A host that serves other things too hands over what is
// below the prefix:
//
//	mux.Handle("/chat/", srv) // WithPublicURL("https://app.example.org/chat")
//
// IDs in paths may contain encoded slashes. The muxes of net/http and gorilla
// keep them, but the latter redirects paths in which two of them meet unless it
// is told UseEncodedPath and SkipClean; a proxy in front must pass on paths as
// they are, which nginx does where its proxy_pass names no path, not even "/".
//
// Clients that know only the name of a server ask
// https://NAME/.well-known/matrix/client for its URL. So either the host answers
// that at the name's own root, or users enter the whole URL.
//
// # Timeouts
//
// A long poll takes as long as its client asks for, up to five minutes, and a
// large file as long as it takes. An http.Server may have a WriteTimeout and a
// ReadTimeout nevertheless: the server lifts them for these requests, as far as
// needed, through http.ResponseController. So middleware that wraps the
// http.ResponseWriter should have the method Unwrap; otherwise, and below an
// http.TimeoutHandler, such requests are cut off. Middleware that ends the
// contexts of requests after a time makes 504 of them. A proxy in front should
// wait for at least a minute, since clients ask for half of one, and take
// bodies as large as uploads may be.
//
// # Lifecycle
//
// [New] returns a server that serves. [Server.Shutdown] stops it gently,
// [Server.Close] at once; both release long polls, refuse what comes later with
// 503, close the store and leave nothing behind. The server never listens,
// handles signals, ends the process, reads the environment or writes to standard
// output; it has no state outside of its values, so that a process may have any
// number of servers.
//
// # Storage
//
// Everything that survives a restart is in a store.Store, but for the bytes of
// what users upload, which are in a media.Store. Without [WithStore] and
// [WithMediaStore] both are in memory; otherwise give both. store/sqlite and
// media.Dir are the ones to use. A request is answered when its changes are on
// disk. The store belongs to the server, which closes it; one store serves one
// server at a time, and always one of the same name.
//
// The database knows what is in the media store: copy both for a backup, the
// database first, as package store/sqlite says. Opened by a newer version of this
// library it is brought up to date, and older versions refuse it from then on.
//
// # Authentication
//
// By default users have passwords that the server keeps, and nobody can
// register: the host makes accounts with [Server.CreateUser], or opens
// registration with [WithRegistration]. A host that has accounts of its own lets
// users sign in with those passwords ([WithAuthProvider]), or signs users in
// that it knows already and hands the session to its client
// ([Server.SignIn]). An auth provider that is a uia.TokenVerifier has the host's
// own tokens accepted in place of the server's, and [WithSSO] lets users sign in
// at identity providers. [WithEmail] lets them have addresses, with which they set
// a new password by themselves; [WithAccountRules], [WithTerms], [WithCaptcha] and
// [WithFlows] say what they have to show and may do.
//
// # Acting in process
//
// The methods of Server that take a context do what clients do, by the same
// rules, without HTTP. What they refuse is an [*Error] with the code that a
// client would see.
//
// # Concurrency
//
// Everything exported is safe for concurrent use. Functions that a host gives to
// options are called from any number of goroutines at once. A panic in them
// becomes the answer 500 and a line in the log, and does not reach the host.
//
// # Testing
//
// Package homeservertest starts servers for tests in milliseconds, and has a
// small client to play the other users.
package homeserver
