package api

import "net/http"

// What lets web clients of any origin use the API. It is on every response, errors and redirects included (CORS-2,
// CORS-3). Origin and Accept are for clients of r0; HEAD is offered by media.
var (
	allowedOrigins = []string{"*"}
	allowedMethods = []string{"GET, HEAD, POST, PUT, DELETE, OPTIONS"}
	allowedHeaders = []string{"X-Requested-With, Content-Type, Authorization, Origin, Accept"}
)

// allowOrigins sets it. The keys are in canonical form, and nobody writes to the values: this is for every request.
func allowOrigins(h http.Header) {
	h["Access-Control-Allow-Origin"] = allowedOrigins
	h["Access-Control-Allow-Methods"] = allowedMethods
	h["Access-Control-Allow-Headers"] = allowedHeaders
}
