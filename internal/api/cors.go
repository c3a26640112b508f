package api

import "net/http"

// allowOrigins sets what lets web clients of any origin use the API. It is on every response, errors and redirects
// included (CORS-2, CORS-3). Origin and Accept are for clients of r0; HEAD is offered by media.
func allowOrigins(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization, Origin, Accept")
}
