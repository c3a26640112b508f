package mxerr

import (
	"net/http"
	"time"
)

// Forbidden says that the caller may not do this, including a failed login (ERR-6): 403 M_FORBIDDEN.
func Forbidden(format string, args ...any) *Error {
	return New(http.StatusForbidden, MForbidden, format, args...)
}

// MissingToken says that a token is needed and none was sent (ERR-4): 401 M_MISSING_TOKEN.
func MissingToken(format string, args ...any) *Error {
	return New(http.StatusUnauthorized, MMissingToken, format, args...)
}

// UnknownToken says that the access or refresh token is unknown, expired or logged out; see [SoftLogout] (ERR-4): 401 M_UNKNOWN_TOKEN.
func UnknownToken(format string, args ...any) *Error {
	return New(http.StatusUnauthorized, MUnknownToken, format, args...)
}

// BadJSON says that valid JSON of the wrong shape (API-3): 400 M_BAD_JSON.
func BadJSON(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MBadJSON, format, args...)
}

// NotJSON says that the body is not JSON (API-2): 400 M_NOT_JSON.
func NotJSON(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MNotJSON, format, args...)
}

// NotFound says that the resource is absent (ERR-8): 404 M_NOT_FOUND.
func NotFound(format string, args ...any) *Error {
	return New(http.StatusNotFound, MNotFound, format, args...)
}

// Unknown says that anything else; the status says what (ERR-3, ERR-18): 500 M_UNKNOWN.
func Unknown(format string, args ...any) *Error {
	return New(http.StatusInternalServerError, MUnknown, format, args...)
}

// Unrecognized says that the endpoint is absent, or with 405 the method (API-6, ERR-8): 404 M_UNRECOGNIZED.
func Unrecognized(format string, args ...any) *Error {
	return New(http.StatusNotFound, MUnrecognized, format, args...)
}

// TooLarge says that the request or the event is too large: 413 M_TOO_LARGE.
func TooLarge(format string, args ...any) *Error {
	return New(http.StatusRequestEntityTooLarge, MTooLarge, format, args...)
}

// Unauthorized says that an authentication step failed (ERR-11): 401 M_UNAUTHORIZED.
func Unauthorized(format string, args ...any) *Error {
	return New(http.StatusUnauthorized, MUnauthorized, format, args...)
}

// GuestAccessForbidden says that the call or the room is closed to guests (ERR-7): 403 M_GUEST_ACCESS_FORBIDDEN.
func GuestAccessForbidden(format string, args ...any) *Error {
	return New(http.StatusForbidden, MGuestAccessForbidden, format, args...)
}

// UserSuspended says that the account is suspended (ERR-5): 403 M_USER_SUSPENDED.
func UserSuspended(format string, args ...any) *Error {
	return New(http.StatusForbidden, MUserSuspended, format, args...)
}

// UserDeactivated says that the account is deactivated (ERR-11): 403 M_USER_DEACTIVATED.
func UserDeactivated(format string, args ...any) *Error {
	return New(http.StatusForbidden, MUserDeactivated, format, args...)
}

// UserInUse says that the user ID is taken (ERR-11): 400 M_USER_IN_USE.
func UserInUse(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MUserInUse, format, args...)
}

// InvalidUsername says that the username is not a valid localpart (ERR-11): 400 M_INVALID_USERNAME.
func InvalidUsername(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MInvalidUsername, format, args...)
}

// Exclusive says that the ID lies in a namespace that is not the caller's (ERR-11): 400 M_EXCLUSIVE.
func Exclusive(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MExclusive, format, args...)
}

// WeakPassword says that the password is refused by policy (ERR-11): 400 M_WEAK_PASSWORD.
func WeakPassword(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MWeakPassword, format, args...)
}

// CaptchaNeeded says that the captcha stage is still to do (ERR-13): 401 M_CAPTCHA_NEEDED.
func CaptchaNeeded(format string, args ...any) *Error {
	return New(http.StatusUnauthorized, MCaptchaNeeded, format, args...)
}

// CaptchaInvalid says that the captcha answer is wrong (ERR-13): 401 M_CAPTCHA_INVALID.
func CaptchaInvalid(format string, args ...any) *Error {
	return New(http.StatusUnauthorized, MCaptchaInvalid, format, args...)
}

// TokenIncorrect says that the validation token is wrong (ERR-16): 400 M_TOKEN_INCORRECT.
func TokenIncorrect(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MTokenIncorrect, format, args...)
}

// SessionExpired says that the validation session has expired (ERR-16): 400 M_SESSION_EXPIRED.
func SessionExpired(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MSessionExpired, format, args...)
}

// ThreePIDInUse says that the identifier belongs to another account: 400 M_THREEPID_IN_USE.
func ThreePIDInUse(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MThreePIDInUse, format, args...)
}

// ThreePIDNotFound says that no account has the identifier: 400 M_THREEPID_NOT_FOUND.
func ThreePIDNotFound(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MThreePIDNotFound, format, args...)
}

// ThreePIDMediumNotSupported says that this server cannot validate such identifiers: 400 M_THREEPID_MEDIUM_NOT_SUPPORTED.
func ThreePIDMediumNotSupported(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MThreePIDMediumNotSupported, format, args...)
}

// ThreePIDAuthFailed says that the identifier was not validated in this session: 403 M_THREEPID_AUTH_FAILED.
func ThreePIDAuthFailed(format string, args ...any) *Error {
	return New(http.StatusForbidden, MThreePIDAuthFailed, format, args...)
}

// ThreePIDDenied says that the identifier is refused by policy: 403 M_THREEPID_DENIED.
func ThreePIDDenied(format string, args ...any) *Error {
	return New(http.StatusForbidden, MThreePIDDenied, format, args...)
}

// ServerNotTrusted says that the identity server is not trusted: 400 M_SERVER_NOT_TRUSTED.
func ServerNotTrusted(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MServerNotTrusted, format, args...)
}

// UnknownDevice says that device_id names no device of the asserted user: 400 M_UNKNOWN_DEVICE.
func UnknownDevice(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MUnknownDevice, format, args...)
}

// AppserviceLoginUnsupported says that this server has no legacy login for application services: 400 M_APPSERVICE_LOGIN_UNSUPPORTED.
func AppserviceLoginUnsupported(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MAppserviceLoginUnsupported, format, args...)
}

// URLNotSet says that the service's registration has no URL to ping: 400 M_URL_NOT_SET.
func URLNotSet(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MURLNotSet, format, args...)
}

// ConnectionFailed says that the service could not be reached: 502 M_CONNECTION_FAILED.
func ConnectionFailed(format string, args ...any) *Error {
	return New(http.StatusBadGateway, MConnectionFailed, format, args...)
}

// ConnectionTimeout says that the service did not answer in time: 504 M_CONNECTION_TIMEOUT.
func ConnectionTimeout(format string, args ...any) *Error {
	return New(http.StatusGatewayTimeout, MConnectionTimeout, format, args...)
}

// ProfileTooLarge says that the profile would exceed its size limit: 400 M_PROFILE_TOO_LARGE.
func ProfileTooLarge(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MProfileTooLarge, format, args...)
}

// KeyTooLarge says that the field's name is too long: 400 M_KEY_TOO_LARGE.
func KeyTooLarge(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MKeyTooLarge, format, args...)
}

// BadState says that the change contradicts the room's state: 403 M_BAD_STATE (MEMB-38).
func BadState(format string, args ...any) *Error {
	return New(http.StatusForbidden, MBadState, format, args...)
}

// BadAlias says that an alias in the canonical alias event does not point at the room: 400 M_BAD_ALIAS.
func BadAlias(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MBadAlias, format, args...)
}

// RoomInUse says that the alias is taken: 400 M_ROOM_IN_USE.
func RoomInUse(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MRoomInUse, format, args...)
}

// InvalidRoomState says that the initial state of a room would not be valid: 400 M_INVALID_ROOM_STATE.
func InvalidRoomState(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MInvalidRoomState, format, args...)
}

// UnsupportedRoomVersion says that the server does not know the room version: 400 M_UNSUPPORTED_ROOM_VERSION.
func UnsupportedRoomVersion(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MUnsupportedRoomVersion, format, args...)
}

// InviteBlocked says that the invited user refuses such invites: 403 M_INVITE_BLOCKED.
func InviteBlocked(format string, args ...any) *Error {
	return New(http.StatusForbidden, MInviteBlocked, format, args...)
}

// CannotLeaveServerNoticeRoom says that the invite to the notices room cannot be refused: 403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM.
func CannotLeaveServerNoticeRoom(format string, args ...any) *Error {
	return New(http.StatusForbidden, MCannotLeaveServerNoticeRoom, format, args...)
}

// DuplicateAnnotation says that the sender has already reacted with this key: 400 M_DUPLICATE_ANNOTATION.
func DuplicateAnnotation(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MDuplicateAnnotation, format, args...)
}

// NotYetUploaded says that the content's upload has not finished: 504 M_NOT_YET_UPLOADED.
func NotYetUploaded(format string, args ...any) *Error {
	return New(http.StatusGatewayTimeout, MNotYetUploaded, format, args...)
}

// CannotOverwriteMedia says that the media ID already has content: 409 M_CANNOT_OVERWRITE_MEDIA.
func CannotOverwriteMedia(format string, args ...any) *Error {
	return New(http.StatusConflict, MCannotOverwriteMedia, format, args...)
}

// InvalidSignature says that a signature is missing or wrong: 400 M_INVALID_SIGNATURE.
func InvalidSignature(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MInvalidSignature, format, args...)
}

// UnknownPos says that the position in the stream is not known any more: 400 M_UNKNOWN_POS.
func UnknownPos(format string, args ...any) *Error {
	return New(http.StatusBadRequest, MUnknownPos, format, args...)
}

// MissingParam says that the named parameter or member is required and absent: 400 M_MISSING_PARAM (API-3).
func MissingParam(field string) *Error {
	return New(http.StatusBadRequest, MMissingParam, "%s is required", field)
}

// InvalidParam says what is wrong with the value of the named parameter or member: 400 M_INVALID_PARAM (API-3, ID-13).
// why completes a sentence that begins with the name, such as "must be positive".
func InvalidParam(field, why string, args ...any) *Error {
	return New(http.StatusBadRequest, MInvalidParam, field+" "+why, args...)
}

// MethodNotAllowed says that the path exists but not for this method: 405 M_UNRECOGNIZED (API-6).
func MethodNotAllowed() *Error {
	return New(http.StatusMethodNotAllowed, MUnrecognized, "method not allowed on this endpoint")
}

// SoftLogout says that the token has ended while the device and its keys live on, so that the client may log in again
// with its device ID: 401 M_UNKNOWN_TOKEN with soft_logout (AUTH-4, REFR-8).
func SoftLogout(format string, args ...any) *Error {
	return UnknownToken(format, args...).With("soft_logout", true)
}

// UserLocked says that the account is locked: 401 M_USER_LOCKED with soft_logout, so that clients keep their data
// (ERR-5, ADM-5).
func UserLocked(format string, args ...any) *Error {
	return New(http.StatusUnauthorized, MUserLocked, format, args...).With("soft_logout", true)
}

// LimitExceeded says that the caller must wait: 429 M_LIMIT_EXCEEDED with both ways of saying how long
// (RATE-1 to RATE-3).
func LimitExceeded(wait time.Duration) *Error {
	e := New(http.StatusTooManyRequests, MLimitExceeded, "too many requests")
	e.RetryAfter = wait
	return e
}

// UserLimitExceeded says that the account has reached one of its limits: 403 M_USER_LIMIT_EXCEEDED with the required URI
// that explains it (ERR-10).
func UserLimitExceeded(infoURI, format string, args ...any) *Error {
	return New(http.StatusForbidden, MUserLimitExceeded, format, args...).With("info_uri", infoURI)
}

// IncompatibleRoomVersion says that the caller cannot take part in a room of this version:
// 400 M_INCOMPATIBLE_ROOM_VERSION with the required room_version (ERR-17).
func IncompatibleRoomVersion(version string) *Error {
	return New(http.StatusBadRequest, MIncompatibleRoomVersion, "room version %s is not supported here", version).
		With("room_version", version)
}

// WrongRoomKeysVersion says that keys were sent for a backup that is not the current one: 403 M_WRONG_ROOM_KEYS_VERSION
// with the current version.
func WrongRoomKeysVersion(current string) *Error {
	return New(http.StatusForbidden, MWrongRoomKeysVersion, "the current backup version is %s", current).
		With("current_version", current)
}

// BadStatus says that an application service answered a ping with another status than 200: 502 M_BAD_STATUS with that
// status and the body it sent (ERR-14).
func BadStatus(status int, body string) *Error {
	return New(http.StatusBadGateway, MBadStatus, "the application service answered with status %d", status).
		With("status", status).With("body", body)
}
