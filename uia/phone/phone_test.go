package phone

import "testing"

// ID-11, LOGIN-10: numbers as they are written in a country.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ country, number, want string }{
		{"GB", "07400 123456", "447400123456"},
		{"GB", "+44 7400 123456", "447400123456"},
		{"FR", "+44 7400 123456", "447400123456"},
		{"US", "(201) 555-0123", "12015550123"},
		{"DE", "01512 3456789", "4915123456789"},
		{"IT", "312 345 6789", "393123456789"},
		{"GB", "123", ""},
		{"GB", "", ""},
		{"GB", "call me", ""},
		{"XX", "07400 123456", ""},
	} {
		if got, err := Parse(tt.country, tt.number); got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s %s is %q, %v; want %q", tt.country, tt.number, got, err, tt.want)
		}
	}
}
