package sqlite_test

import (
	"database/sql"
	"log"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// The homeserver's tables lie beside those of the program, in the program's own
// database, which the program closes after the server.
func ExampleOpenDB() {
	db, err := sql.Open("sqlite", "app.db") // the driver is registered by modernc.org/sqlite
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	st, err := sqlite.OpenDB(db)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := homeserver.New("example.org", homeserver.WithStore(st))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}
