package sqlite_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// Every statement finds its rows by an index and needs no sorting, whatever
// the size of the tables: SQLite's plan of each says so.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := newSpy(t)
	t.Run("statements", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			each := newSpy(t)
			t.Cleanup(func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.prepared = append(s.prepared, each.prepared...)
			})
			return each.open(t)
		})
	})
	s.open(t)
	db, err := sql.Open("sqlite", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	slices.Sort(s.prepared)
	checked := 0
	for _, query := range slices.Compact(s.prepared) {
		if verb, _, _ := strings.Cut(query, " "); !slices.Contains([]string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}, verb) {
			continue
		}
		checked++
		if strings.Contains(query, "member IN") && !strings.Contains(plan(t, db, query)[0], "hs_events_ends") {
			t.Errorf("%s\nwalks more than the state at one position", query)
		}
		for _, step := range plan(t, db, query) {
			if strings.Contains(query, "hs_relations") && strings.Contains(query, "rel_type = 'm.") || strings.Contains(query, "AND rel_type = ?") {
				if strings.Contains(step, "PRIMARY KEY (target=?") && !strings.Contains(step, "rel_type=?") || strings.Contains(step, "hs_relations_") {
					t.Errorf("%s\nwalks relations of all types: %s", query, step)
				}
			}
			if slices.ContainsFunc(fine, func(ok string) bool { return strings.HasPrefix(step, ok) }) {
				continue
			}
			if step == "USE TEMP B-TREE FOR ORDER BY" && strings.Contains(query, "folded = ?") {
				continue // sorts the few IDs that differ in nothing but case
			}
			t.Errorf("%s\n%s", query, step)
		}
	}
	if checked < 40 {
		t.Errorf("only %d statements were seen", checked)
	}
}

// fine are the steps that take no longer when there are more rows.
var fine = []string{
	"SEARCH ",
	"SCAN hs_stream",                     // has one row
	"SCAN hs_typing",                     // likewise
	"SCAN hs_pushers",                    // once, when a server starts
	"SCAN hs_search VIRTUAL TABLE INDEX", // by word or row number
	"SCAN hs_registration_tokens USING INDEX hs_registration_tokens_name", // likewise
	"SCAN hs_users USING INDEX hs_users_admin",                            // likewise
	"SCAN r USING COVERING INDEX hs_rooms_open",                           // all open rooms are wanted
	"CO-ROUTINE k", "SCAN 32 CONSTANT ROWS", "SCAN 8 CONSTANT ROWS", "SCAN k",
	"SCALAR SUBQUERY", "CORRELATED SCALAR SUBQUERY", "LIST SUBQUERY",
}

func plan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, slices.Repeat([]any{nil}, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatal(query, err)
	}
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
