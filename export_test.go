package homeserver

import "testing"

// Endpoints lists what a server serves, for the tests outside the package: each
// method with an absolute path whose variables are in braces.
func (s *Server) Endpoints() (all [][2]string) {
	for _, row := range s.api.Table() {
		all = append(all, [2]string{row.Method, row.Template})
	}
	return all
}

// ReadLines is readLines, for the tests outside the package.
func ReadLines(t *testing.T, name string) []string {
	t.Helper()
	return readLines(t, name)
}
