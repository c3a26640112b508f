package events

import (
	"math"
	"strconv"
	"strings"
)

// levelForm says how a JSON value does as a power level; the higher the worse.
type levelForm uint8

const (
	wellFormed levelForm = iota
	malformed
	outOfRange // a number beyond the range of a double, which no version accepts (RVER-12)
)

// maxLevel keeps numbers beyond 64 bits, which versions 1-9 can hold, below CreatorLevel.
const maxLevel = CreatorLevel - 1

// level reads one power level in the forms the version allows (RVER-12).
func (v *RoomVersion) level(value []byte) (int64, levelForm) {
	s := string(value)
	quoted := isString(value)
	if quoted {
		s = strings.TrimSpace(text(value))
	}
	digits := strings.TrimPrefix(s, "-")
	if quoted && digits == s {
		digits = strings.TrimPrefix(s, "+")
	}
	switch {
	case quoted && v.LevelForm < LevelString, digits == "" || !digit(digits[0]):
		return 0, malformed
	case !only(digits, digit) && (quoted || v.LevelForm < LevelFloat):
		return 0, malformed
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return min(n, maxLevel), wellFormed
	}
	if v.LevelForm == LevelInteger {
		return 0, malformed
	}
	f, _ := strconv.ParseFloat(s, 64)
	switch {
	case math.IsInf(f, 0):
		return 0, outOfRange
	case f >= maxLevel:
		return maxLevel, wellFormed
	case f <= -maxLevel:
		return -maxLevel, wellFormed
	}
	return int64(f), wellFormed // truncates towards zero
}

// ValidPowerLevels checks the content of an m.room.power_levels event that a client wants to send: in every version
// each level must be a plain integer. The error is a [FieldError]. Anything but levels is not judged.
func ValidPowerLevels(content []byte) error {
	integers := RoomVersion{LevelForm: LevelInteger}
	if _, err := integers.parseLevels(content); err != nil {
		return &FieldError{"content", err.(*AuthError).Reason}
	}
	return nil
}
