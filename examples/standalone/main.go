// Command standalone is a whole homeserver: it keeps its data in homeserver.db,
// what users upload in homeserver-media, and lets everybody register who can
// reach this machine's port 8008, which is nobody but programs on the same
// machine. For a server with settings see examples/server.
//
//	go run ./examples/standalone
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func main() {
	st, err := sqlite.Open("homeserver.db")
	if err != nil {
		log.Fatal(err)
	}
	srv, err := homeserver.New("localhost",
		homeserver.WithStore(st),
		homeserver.WithMediaStore(media.Dir("homeserver-media")),
		homeserver.WithPublicURL("http://localhost:8008"),
		homeserver.WithRegistration(homeserver.RegistrationOpen))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Point a Matrix client at http://localhost:8008 and register. Ctrl-C stops the server; homeserver.db and homeserver-media keep everything.")
	log.Fatal(http.ListenAndServe("localhost:8008", srv))
}
