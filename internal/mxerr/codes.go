package mxerr

// The codes of the Client-Server API, all of them: hosts that refuse something may mean any. Each has a constructor in
// constructors.go with the status the specification gives it, or where that is open the one in common use, but for
// MResourceLimitExceeded: a limit of the whole server is the host's.
const (
	// General (ERR-4 to ERR-8, ERR-18).

	// MForbidden: the caller may not do this, including a failed login (ERR-6).
	MForbidden Code = "M_FORBIDDEN"
	// MMissingToken: a token is needed and none was sent (ERR-4).
	MMissingToken Code = "M_MISSING_TOKEN"
	// MUnknownToken: the access or refresh token is unknown, expired or logged out (ERR-4).
	MUnknownToken Code = "M_UNKNOWN_TOKEN"
	// MBadJSON: valid JSON of the wrong shape (API-3).
	MBadJSON Code = "M_BAD_JSON"
	// MNotJSON: the body is not JSON (API-2).
	MNotJSON Code = "M_NOT_JSON"
	// MNotFound: the resource is absent (ERR-8).
	MNotFound Code = "M_NOT_FOUND"
	// MUnknown: anything else; the status says what (ERR-3, ERR-18).
	MUnknown Code = "M_UNKNOWN"
	// MUnrecognized: the endpoint is absent, or with 405 the method (API-6, ERR-8).
	MUnrecognized Code = "M_UNRECOGNIZED"
	// MMissingParam: a required parameter is absent (API-3).
	MMissingParam Code = "M_MISSING_PARAM"
	// MInvalidParam: a parameter has a value it may not have (API-3, ID-13).
	MInvalidParam Code = "M_INVALID_PARAM"
	// MLimitExceeded: too many requests (RATE-1).
	MLimitExceeded Code = "M_LIMIT_EXCEEDED"
	// MTooLarge: the request or the event is too large.
	MTooLarge Code = "M_TOO_LARGE"
	// MUnauthorized: an authentication step failed (ERR-11).
	MUnauthorized Code = "M_UNAUTHORIZED"
	// MGuestAccessForbidden: the call or the room is closed to guests (ERR-7).
	MGuestAccessForbidden Code = "M_GUEST_ACCESS_FORBIDDEN"
	// MResourceLimitExceeded: a limit of the whole server is reached (ERR-9).
	MResourceLimitExceeded Code = "M_RESOURCE_LIMIT_EXCEEDED"
	// MUserLimitExceeded: a limit of the account is reached (ERR-10).
	MUserLimitExceeded Code = "M_USER_LIMIT_EXCEEDED"

	// Accounts (ERR-5, ERR-11, ERR-13, ERR-16).

	// MUserLocked: the account is locked; the session survives (ERR-5, ADM-5).
	MUserLocked Code = "M_USER_LOCKED"
	// MUserSuspended: the account is suspended (ERR-5).
	MUserSuspended Code = "M_USER_SUSPENDED"
	// MUserDeactivated: the account is deactivated (ERR-11).
	MUserDeactivated Code = "M_USER_DEACTIVATED"
	// MUserInUse: the user ID is taken (ERR-11).
	MUserInUse Code = "M_USER_IN_USE"
	// MInvalidUsername: the username is not a valid localpart (ERR-11).
	MInvalidUsername Code = "M_INVALID_USERNAME"
	// MExclusive: the ID lies in a namespace that is not the caller's (ERR-11).
	MExclusive Code = "M_EXCLUSIVE"
	// MWeakPassword: the password is refused by policy (ERR-11).
	MWeakPassword Code = "M_WEAK_PASSWORD"
	// MCaptchaNeeded: the captcha stage is still to do (ERR-13).
	MCaptchaNeeded Code = "M_CAPTCHA_NEEDED"
	// MCaptchaInvalid: the captcha answer is wrong (ERR-13).
	MCaptchaInvalid Code = "M_CAPTCHA_INVALID"
	// MTokenIncorrect: the validation token is wrong (ERR-16).
	MTokenIncorrect Code = "M_TOKEN_INCORRECT"
	// MSessionExpired: the validation session has expired (ERR-16).
	MSessionExpired Code = "M_SESSION_EXPIRED"

	// Third-party identifiers (ERR-12).

	// MThreePIDInUse: the identifier belongs to another account.
	MThreePIDInUse Code = "M_THREEPID_IN_USE"
	// MThreePIDNotFound: no account has the identifier.
	MThreePIDNotFound Code = "M_THREEPID_NOT_FOUND"
	// MThreePIDMediumNotSupported: this server cannot validate such identifiers.
	MThreePIDMediumNotSupported Code = "M_THREEPID_MEDIUM_NOT_SUPPORTED"
	// MThreePIDAuthFailed: the identifier was not validated in this session.
	MThreePIDAuthFailed Code = "M_THREEPID_AUTH_FAILED"
	// MThreePIDDenied: the identifier is refused by policy.
	MThreePIDDenied Code = "M_THREEPID_DENIED"
	// MServerNotTrusted: the identity server is not trusted.
	MServerNotTrusted Code = "M_SERVER_NOT_TRUSTED"

	// Application services (ERR-14).

	// MUnknownDevice: device_id names no device of the asserted user.
	MUnknownDevice Code = "M_UNKNOWN_DEVICE"
	// MAppserviceLoginUnsupported: this server has no legacy login for application services.
	MAppserviceLoginUnsupported Code = "M_APPSERVICE_LOGIN_UNSUPPORTED"
	// MURLNotSet: the service's registration has no URL to ping.
	MURLNotSet Code = "M_URL_NOT_SET"
	// MBadStatus: the service answered with a status other than 200.
	MBadStatus Code = "M_BAD_STATUS"
	// MConnectionFailed: the service could not be reached.
	MConnectionFailed Code = "M_CONNECTION_FAILED"
	// MConnectionTimeout: the service did not answer in time.
	MConnectionTimeout Code = "M_CONNECTION_TIMEOUT"

	// Profiles (ERR-15).

	// MProfileTooLarge: the profile would exceed its size limit.
	MProfileTooLarge Code = "M_PROFILE_TOO_LARGE"
	// MKeyTooLarge: the field's name is too long.
	MKeyTooLarge Code = "M_KEY_TOO_LARGE"

	// Rooms (ERR-17).

	// MBadState: the change contradicts the room's state.
	MBadState Code = "M_BAD_STATE"
	// MBadAlias: an alias in the canonical alias event does not point at the room.
	MBadAlias Code = "M_BAD_ALIAS"
	// MRoomInUse: the alias is taken.
	MRoomInUse Code = "M_ROOM_IN_USE"
	// MInvalidRoomState: the initial state of a room would not be valid.
	MInvalidRoomState Code = "M_INVALID_ROOM_STATE"
	// MUnsupportedRoomVersion: the server does not know the room version.
	MUnsupportedRoomVersion Code = "M_UNSUPPORTED_ROOM_VERSION"
	// MIncompatibleRoomVersion: the caller cannot take part in the room's version.
	MIncompatibleRoomVersion Code = "M_INCOMPATIBLE_ROOM_VERSION"
	// MInviteBlocked: the invited user refuses such invites.
	MInviteBlocked Code = "M_INVITE_BLOCKED"
	// MCannotLeaveServerNoticeRoom: the invite to the notices room cannot be refused.
	MCannotLeaveServerNoticeRoom Code = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
	// MDuplicateAnnotation: the sender has already reacted with this key.
	MDuplicateAnnotation Code = "M_DUPLICATE_ANNOTATION"

	// Media, keys and sync.

	// MNotYetUploaded: the content's upload has not finished.
	MNotYetUploaded Code = "M_NOT_YET_UPLOADED"
	// MCannotOverwriteMedia: the media ID already has content.
	MCannotOverwriteMedia Code = "M_CANNOT_OVERWRITE_MEDIA"
	// MInvalidSignature: a key is not signed as it has to be.
	MInvalidSignature Code = "M_INVALID_SIGNATURE"
	// MWrongRoomKeysVersion: the backup version is not the current one.
	MWrongRoomKeysVersion Code = "M_WRONG_ROOM_KEYS_VERSION"
	// MUnknownPos: the position in the stream is not known any more.
	MUnknownPos Code = "M_UNKNOWN_POS"
)
