package reader

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	letters := regexp.MustCompile(`^[0-9A-Za-z._~=-]{1,30}$`) // EVT-35
	for _, pos := range []store.Pos{0, 1, 4711, store.MaxPos} {
		token := Token(pos)
		if !letters.MatchString(token) {
			t.Errorf("token %q", token)
		}
		got, err := Position("from", token, store.MaxPos)
		if err != nil || got != pos {
			t.Errorf("%q is %d, %v; want %d", token, got, err, pos)
		}
		marked := MarkedToken(pos, "aZ09") // SLIDE-10
		if got, err := Position("pos", marked, store.MaxPos); err != nil || got != pos || !letters.MatchString(marked) {
			t.Errorf("%q is %d, %v; want %d", marked, got, err, pos)
		}
	}
	// READ-18, AMB-14
	for _, token := range []string{
		"", "x", "1", "1-", "1--1", "1-+1", "1-01", "1-1 ", " 1-1", "1-1x", "2-1", "s1_2", "1-9223372036854775808", "1-18446744073709551617", "t47-0_0", "1-１",
		"1-1.", "1-1.a-b", "1-1.a.b", "1-01.a", ".a",
		"1-101", // later than anything that can have been given out
	} {
		_, err := Position("from", token, 100)
		if e, ok := errors.AsType[*mxerr.Error](err); !ok || e.Status != 400 || e.Code != mxerr.MInvalidParam {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add("1-1")
	f.Add("1-00")
	f.Add("1-1.mark")
	f.Fuzz(func(t *testing.T, token string) {
		pos, err := Position("from", token, 1<<40)
		plain, mark, marked := strings.Cut(token, ".")
		if err == nil && (Token(pos) != plain || marked && MarkedToken(pos, mark) != token || pos < 0 || pos > 1<<40) {
			t.Errorf("%q is %d", token, pos)
		}
	})
}
