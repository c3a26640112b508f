package mxerr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

func TestEveryErrorHasStatusCodeAndText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    *mxerr.Error
		status int
		body   string
	}{
		{mxerr.Forbidden("no"), 403, `{"errcode":"M_FORBIDDEN","error":"no"}`}, // ERR-6
		{mxerr.MissingToken("no"), 401, `{"errcode":"M_MISSING_TOKEN","error":"no"}`},
		{mxerr.UnknownToken("no"), 401, `{"errcode":"M_UNKNOWN_TOKEN","error":"no"}`},                                                                                                      // ERR-4
		{mxerr.SoftLogout("no"), 401, `{"errcode":"M_UNKNOWN_TOKEN","error":"no","soft_logout":true}`},                                                                                     // ERR-4
		{mxerr.UserLocked("no"), 401, `{"errcode":"M_USER_LOCKED","error":"no","soft_logout":true}`},                                                                                       // ERR-5
		{mxerr.UserSuspended("no"), 403, `{"errcode":"M_USER_SUSPENDED","error":"no"}`},                                                                                                    // ERR-5
		{mxerr.GuestAccessForbidden("no"), 403, `{"errcode":"M_GUEST_ACCESS_FORBIDDEN","error":"no"}`},                                                                                     // ERR-7
		{mxerr.NotFound("no %d", 1), 404, `{"errcode":"M_NOT_FOUND","error":"no 1"}`},                                                                                                      // ERR-8
		{mxerr.Unrecognized("no"), 404, `{"errcode":"M_UNRECOGNIZED","error":"no"}`},                                                                                                       // ERR-8
		{mxerr.MethodNotAllowed(), 405, `{"errcode":"M_UNRECOGNIZED","error":"method not allowed on this endpoint"}`},                                                                      // ERR-8
		{mxerr.New(403, mxerr.MResourceLimitExceeded, "no").With("admin_contact", "mailto:a@b"), 403, `{"admin_contact":"mailto:a@b","errcode":"M_RESOURCE_LIMIT_EXCEEDED","error":"no"}`}, // ERR-9, CLIENTA-1
		{mxerr.UserLimitExceeded("https://i", "no"), 403, `{"errcode":"M_USER_LIMIT_EXCEEDED","error":"no","info_uri":"https://i"}`},                                                       // ERR-10
		{mxerr.UserInUse("no"), 400, `{"errcode":"M_USER_IN_USE","error":"no"}`},                                                                                                           // ERR-11
		{mxerr.InvalidUsername("no"), 400, `{"errcode":"M_INVALID_USERNAME","error":"no"}`},                                                                                                // ERR-11
		{mxerr.Exclusive("no"), 400, `{"errcode":"M_EXCLUSIVE","error":"no"}`},                                                                                                             // ERR-11
		{mxerr.WeakPassword("no"), 400, `{"errcode":"M_WEAK_PASSWORD","error":"no"}`},                                                                                                      // ERR-11
		{mxerr.UserDeactivated("no"), 403, `{"errcode":"M_USER_DEACTIVATED","error":"no"}`},                                                                                                // ERR-11
		{mxerr.Unauthorized("no"), 401, `{"errcode":"M_UNAUTHORIZED","error":"no"}`},                                                                                                       // ERR-11
		{mxerr.ThreePIDInUse("no"), 400, `{"errcode":"M_THREEPID_IN_USE","error":"no"}`},                                                                                                   // ERR-12
		{mxerr.ThreePIDNotFound("no"), 400, `{"errcode":"M_THREEPID_NOT_FOUND","error":"no"}`},                                                                                             // ERR-12
		{mxerr.ThreePIDMediumNotSupported("no"), 400, `{"errcode":"M_THREEPID_MEDIUM_NOT_SUPPORTED","error":"no"}`},                                                                        // ERR-12
		{mxerr.ServerNotTrusted("no"), 400, `{"errcode":"M_SERVER_NOT_TRUSTED","error":"no"}`},                                                                                             // ERR-12
		{mxerr.ThreePIDAuthFailed("no"), 403, `{"errcode":"M_THREEPID_AUTH_FAILED","error":"no"}`},                                                                                         // ERR-12
		{mxerr.ThreePIDDenied("no"), 403, `{"errcode":"M_THREEPID_DENIED","error":"no"}`},                                                                                                  // ERR-12
		{mxerr.CaptchaNeeded("no"), 401, `{"errcode":"M_CAPTCHA_NEEDED","error":"no"}`},                                                                                                    // ERR-13
		{mxerr.CaptchaInvalid("no"), 401, `{"errcode":"M_CAPTCHA_INVALID","error":"no"}`},                                                                                                  // ERR-13
		{mxerr.UnknownDevice("no"), 400, `{"errcode":"M_UNKNOWN_DEVICE","error":"no"}`},                                                                                                    // ERR-14
		{mxerr.AppserviceLoginUnsupported("no"), 400, `{"errcode":"M_APPSERVICE_LOGIN_UNSUPPORTED","error":"no"}`},                                                                         // ERR-14
		{mxerr.URLNotSet("no"), 400, `{"errcode":"M_URL_NOT_SET","error":"no"}`},                                                                                                           // ERR-14
		{mxerr.BadStatus(404, "x"), 502, `{"body":"x","errcode":"M_BAD_STATUS","error":"the application service answered with status 404","status":404}`},                                  // ERR-14
		{mxerr.ConnectionFailed("no"), 502, `{"errcode":"M_CONNECTION_FAILED","error":"no"}`},                                                                                              // ERR-14
		{mxerr.ConnectionTimeout("no"), 504, `{"errcode":"M_CONNECTION_TIMEOUT","error":"no"}`},                                                                                            // ERR-14
		{mxerr.ProfileTooLarge("no"), 400, `{"errcode":"M_PROFILE_TOO_LARGE","error":"no"}`},                                                                                               // ERR-15
		{mxerr.KeyTooLarge("no"), 400, `{"errcode":"M_KEY_TOO_LARGE","error":"no"}`},                                                                                                       // ERR-15
		{mxerr.TokenIncorrect("no"), 400, `{"errcode":"M_TOKEN_INCORRECT","error":"no"}`},                                                                                                  // ERR-16
		{mxerr.SessionExpired("no"), 400, `{"errcode":"M_SESSION_EXPIRED","error":"no"}`},                                                                                                  // ERR-16
		{mxerr.InviteBlocked("no"), 403, `{"errcode":"M_INVITE_BLOCKED","error":"no"}`},                                                                                                    // ERR-17
		{mxerr.CannotLeaveServerNoticeRoom("no"), 403, `{"errcode":"M_CANNOT_LEAVE_SERVER_NOTICE_ROOM","error":"no"}`},                                                                     // ERR-17
		{mxerr.IncompatibleRoomVersion("3"), 400, `{"errcode":"M_INCOMPATIBLE_ROOM_VERSION","error":"room version 3 is not supported here","room_version":"3"}`},                           // ERR-17, CLIENTA-1
		{mxerr.TooLarge("no"), 413, `{"errcode":"M_TOO_LARGE","error":"no"}`},                                                                                                              // ERR-17
		{mxerr.Unknown("no"), 500, `{"errcode":"M_UNKNOWN","error":"no"}`},                                                                                                                 // ERR-18
		{mxerr.New(400, mxerr.MUnknown, "no"), 400, `{"errcode":"M_UNKNOWN","error":"no"}`},                                                                                                // ERR-18
		{mxerr.MissingParam("a.b"), 400, `{"errcode":"M_MISSING_PARAM","error":"a.b is required"}`},                                                                                        // API-3
		{mxerr.InvalidParam("limit", "must be above %d", 3), 400, `{"errcode":"M_INVALID_PARAM","error":"limit must be above 3"}`},                                                         // API-3
		{mxerr.Forbidden("%s", "<b> & 100%"), 403, `{"errcode":"M_FORBIDDEN","error":"<b> & 100%"}`},                                                                                       // CLIENT-30
	}
	for _, tt := range tests {
		status, body := tt.err.MatrixResponse()
		if diff := cmp.Diff(tt.body, string(body)); diff != "" || status != tt.status {
			t.Errorf("%s: status %d, want %d; body (-want +got):\n%s", tt.err.Code, status, tt.status, diff)
		}
	}
}

// RATE-2, RATE-3: both ways of telling how long to wait, whole seconds rounded up, never negative.
func TestLimitExceededSaysHowLong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		wait    time.Duration
		seconds int64
		millis  float64
	}{
		{1500 * time.Millisecond, 2, 1500}, {2 * time.Second, 2, 2000}, {0, 0, 0}, {-time.Second, 0, 0},
	}
	for _, tt := range tests {
		err := mxerr.LimitExceeded(tt.wait)
		seconds, ok := err.RetryAfterSeconds()
		status, body := err.MatrixResponse()
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if !ok || seconds != tt.seconds || status != 429 || got["retry_after_ms"] != tt.millis {
			t.Errorf("wait %v: Retry-After %d (%t), status %d, body %s", tt.wait, seconds, ok, status, body)
		}
	}
	if _, ok := mxerr.Forbidden("no").RetryAfterSeconds(); ok {
		t.Error("an ordinary refusal has Retry-After")
	}
}

func TestErrorsAreFoundByCodeAndCause(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("register alice: %w", mxerr.UserInUse("taken").Because(io.ErrUnexpectedEOF))
	if !errors.Is(err, mxerr.MUserInUse) || errors.Is(err, mxerr.MForbidden) {
		t.Error("errors.Is does not tell codes apart")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	e, ok := errors.AsType[*mxerr.Error](err)
	if !ok {
		t.Fatal("not found by type")
	}
	if _, body := e.MatrixResponse(); string(body) != `{"errcode":"M_USER_IN_USE","error":"taken"}` {
		t.Errorf("the cause is sent: %s", body)
	}
}

// ERR-1: whatever is in Extra, errcode and error are there and are the error's own.
func TestExtraCannotReplaceTheEnvelope(t *testing.T) {
	t.Parallel()
	_, body := mxerr.Forbidden("no").With("errcode", "X").With("retry_after_ms", 5).MatrixResponse()
	if string(body) != `{"errcode":"M_FORBIDDEN","error":"no"}` {
		t.Error(string(body))
	}
	_, body = mxerr.Forbidden("no").With("x", math.Inf(1)).MatrixResponse()
	if string(body) != `{"errcode":"M_FORBIDDEN","error":"no"}` {
		t.Error(string(body))
	}
}

// ERR-2: M_ is for the codes of the specification, which are these, all of them; there are no others
// yet.
func TestCodesAreTheSpecifications(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(specified)
	var got []string
	for _, match := range regexp.MustCompile(`Code = "([^"]*)"`).FindAllStringSubmatch(string(source), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("codes (-specified +declared):\n%s", diff)
	}
}

// specified are the error codes of the Client-Server API.
const specified = `
M_APPSERVICE_LOGIN_UNSUPPORTED M_BAD_ALIAS M_BAD_JSON M_BAD_STATE M_BAD_STATUS 
M_CANNOT_LEAVE_SERVER_NOTICE_ROOM M_CANNOT_OVERWRITE_MEDIA M_CAPTCHA_INVALID M_CAPTCHA_NEEDED 
M_CONNECTION_FAILED M_CONNECTION_TIMEOUT M_DUPLICATE_ANNOTATION M_EXCLUSIVE M_FORBIDDEN 
M_GUEST_ACCESS_FORBIDDEN M_INCOMPATIBLE_ROOM_VERSION M_INVALID_PARAM M_INVALID_ROOM_STATE M_INVALID_SIGNATURE 
M_INVALID_USERNAME M_INVITE_BLOCKED M_KEY_TOO_LARGE M_LIMIT_EXCEEDED M_MISSING_PARAM M_MISSING_TOKEN 
M_NOT_FOUND M_NOT_JSON M_NOT_YET_UPLOADED M_PROFILE_TOO_LARGE M_RESOURCE_LIMIT_EXCEEDED M_ROOM_IN_USE 
M_SERVER_NOT_TRUSTED M_SESSION_EXPIRED M_THREEPID_AUTH_FAILED M_THREEPID_DENIED M_THREEPID_IN_USE 
M_THREEPID_MEDIUM_NOT_SUPPORTED M_THREEPID_NOT_FOUND M_TOKEN_INCORRECT M_TOO_LARGE M_UNAUTHORIZED M_UNKNOWN 
M_UNKNOWN_DEVICE M_UNKNOWN_POS M_UNKNOWN_TOKEN M_UNRECOGNIZED M_UNSUPPORTED_ROOM_VERSION M_URL_NOT_SET 
M_USER_DEACTIVATED M_USER_IN_USE M_USER_LIMIT_EXCEEDED M_USER_LOCKED M_USER_SUSPENDED M_WEAK_PASSWORD 
M_WRONG_ROOM_KEYS_VERSION `
