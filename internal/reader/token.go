package reader

import (
	"strconv"
	"strings"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// tokenVersion comes first in every token, so that a later format can be told
// apart for as long as clients keep old ones (SYNC-7).
const tokenVersion = "1-"

// Token returns the token of a position: between the events up to it and those
// after (EVT-35, READ-11).
func Token(pos store.Pos) string {
	return string(strconv.AppendInt(append(make([]byte, 0, 24), tokenVersion...), int64(pos), 10))
}

// MarkedToken returns a token of a position that carries a mark besides, by which
// whoever gave it out knows it again; other uses of the token ignore the mark
// (SLIDE-10). The mark must be made of letters and digits.
func MarkedToken(pos store.Pos, mark string) string { return Token(pos) + "." + mark }

// Position reads a token that came in the named parameter. M_INVALID_PARAM if it
// is malformed or after the newest position, which this server cannot have given
// out (SYNC-7, READ-18, AMB-14).
func Position(parameter, token string, newest store.Pos) (store.Pos, error) {
	plain, mark, marked := strings.Cut(token, ".")
	digits, ok := strings.CutPrefix(plain, tokenVersion)
	n, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil || Token(store.Pos(n)) != plain || marked && !isMark(mark) {
		return 0, mxerr.InvalidParam(parameter, "is not a token of this server")
	}
	if store.Pos(n) > newest {
		return 0, mxerr.InvalidParam(parameter, "is a token from the future")
	}
	return store.Pos(n), nil
}

func isMark(s string) bool {
	return s != "" && strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}
