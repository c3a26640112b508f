package events

import (
	"errors"
	"testing"
)

// TestErrorMessages: every error names what is at fault, for the person who reads the response.
func TestErrorMessages(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"auth rule 6: sender is not in the room":           reject("6", "sender is not in the room"),
		"event has 65537 bytes, at most 65536 are allowed": &SizeError{"", 65537, MaxEventBytes},
		"type has 256 bytes, at most 255 are allowed":      &SizeError{"type", 256, MaxFieldBytes},
		"content: is not an object":                        &FieldError{"content", "is not an object"},
		`parse filter key "room.state": not an object`:     &FilterError{"room.state", errNotObject},
		"parse json at byte 4: value expected":             &JSONError{NotJSON, 4, "value expected"},
		`parse room alias "#a": no server name`:            second(ParseRoomAlias("#a")),
		`parse user ID "@A:hs.test": forbidden character`:  second(NewUserID("A", hs)),
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	_, err := ParseFilter([]byte(`{"room":{"rooms":["#a:hs"]}}`))
	var id *IDError
	if !errors.As(err, &id) || id.Value != "#a:hs" {
		t.Errorf("the filter error hides the ID: %v", err)
	}
}
