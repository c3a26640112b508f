// Package api is the HTTP side of the server: it decodes a request, calls one method of a service and encodes the
// answer. It holds no policy and no SQL, and may not import the store.
//
// # An endpoint
//
// An endpoint is a request type, a handler and a row of a table. They stand together in the file named after the
// module of the specification.
//
//	type typingIn struct {
//		Room    events.RoomID `path:"roomId"`
//		User    events.UserID `path:"userId"`
//		Typing  bool          `json:"typing" required:"true"`
//		Timeout int64         `json:"timeout"`
//	}
//
//	func (a *API) typing() []route {
//		return []route{
//			put("/rooms/{roomId}/typing/{userId}", byUser, a.setTyping).own().limit(ratelimit.Messages),
//		}
//	}
//
//	func (a *API) setTyping(ctx context.Context, c *caller, in typingIn) (empty, error) {
//		return empty{}, a.ephemeral.Typing(ctx, in.User, in.Room, in.Typing, in.Timeout)
//	}
//
// The table of the module is added to (*API).routes in api.go. Nothing else is needed: the row decides who may call
// ([access]), where it is served (at, also, under, unstable), how large the body may be (body) and which budget it
// draws on (limit); see [route].
//
// # Requests
//
// The fields of the request type say by tag where they come from; [planFor] lists the types they may have.
//
//   - path:"roomId" takes the variable of the template, percent-decoded once. A variable that the matched template
//     lacks leaves the field zero.
//   - query:"limit" takes a query parameter; a slice takes every repetition, a pointer stays nil when it is absent;
//     query:"*" takes the whole query (url.Values).
//   - json:"name" takes a member of the body. Names match exactly, unlike in encoding/json. Absent and null leave
//     the field zero; a json.RawMessage keeps null and tells the two apart.
//   - body:"" takes the whole validated body as it was received (json.RawMessage), for events and whatever else is
//     stored as sent. It may stand beside json members.
//   - required:"true" beside query or json refuses a request without the parameter, and beside body one without a body.
//
// IDs are checked while decoding: a field of type events.RoomID never holds anything else.
//
// A POST or PUT always needs a JSON object, or nothing at all where no member is required (API-2); a DELETE has a body
// only if its request type wants one. An event type and a state key are strings in the path; everything the decoder
// hands out is valid UTF-8 without NUL.
//
// # Responses
//
// A handler returns a value to be marshalled, [empty] for {}, or [rawJSON] for bytes that are JSON already, which are
// sent without copying: the way for sync, messages and everything else that is built from stored events. Lists must be
// made, a nil slice would be null (CLIENT-32). A response type with a method statusCode() int chooses another status
// than 200.
//
// Refusals are errors: *mxerr.Error, or any error with the method of [responder], such as the challenge of
// user-interactive authentication. Every other error is logged and becomes 500 M_UNKNOWN; see errors.go.
//
// Handlers that send something else than JSON (media, pages, redirects) are rows made by [raw] and get the
// http.ResponseWriter; errors they return before writing anything are rendered like the others.
package api
