// Package uia is user-interactive authentication: how a client proves, in one
// or more steps, that its user is who they say and means what they ask for.
//
// # What a host plugs in
//
// Most programs need one or two of the interfaces here, and nothing else of the
// package: a [Provider] to sign people in with the passwords of the program, a
// [TokenVerifier] to accept its tokens ([TokenRevoker] to end them, too), an [IdentityProvider] such as that of
// uia/oidc, a [Sender] such as that of uia/mail, and seldom a [Stage] of their
// own. Package uiatest checks the first three. What the interfaces call a Matrix
// error is a *homeserver.Error, with which a host refuses in its own words.
//
// # How it works
//
// Some endpoints (registration, deleting a device, changing the password …)
// want more than an access token. Such a call goes through [Do] with an
// [Operation] that says what is asked for and which [Flow]s of stages allow it.
// Without proof, Do returns a [*Required], an error that the HTTP layer renders
// as 401 with the flows and a session. The client repeats its request with an
// `auth` object that names the session and passes one stage; when all stages of
// one flow are done, Do runs the call and returns its result.
//
//	return uia.Do(ctx, engine, uia.Operation{Name: "delete_device", Target: id, User: user, Flows: flows}, auth,
//		func(ctx context.Context, proof uia.Proof) (struct{}, error) { return deleteDevice(ctx, user, id) })
//
// # Stages
//
// A [Stage] checks one kind of proof. [Dummy] and [Password] are here; the
// server has more, and a host may add its own under a namespaced type. A stage
// refuses with [ErrDenied], with [ErrPending] when the proof is made elsewhere
// and is not there yet, or with a Matrix error of status 401 such as
// M_CAPTCHA_INVALID: all of these keep the session, so that the client may try
// again. Every other error ends the request as it is.
//
// A stage that establishes who the client is says so, and [Do] refuses proof of
// being someone else than the owner of the access token. Stages that are passed
// outside of the request, on a fallback page or at an identity provider, are
// recorded with [Engine.Complete]; the client then polls with its session alone.
//
// # Sessions
//
// A session belongs to one endpoint, target and user, lives for one hour in
// memory and holds at most one result: repeating the last request gives it again
// instead of a second effect, or a fresh challenge where [Operation] says Once. The engine keeps 10,000 sessions and forgets the
// oldest first; a client whose session is forgotten gets a fresh challenge.
package uia
