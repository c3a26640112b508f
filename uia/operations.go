package uia

// The names of the operations that the server guards: what a host sees
// when it chooses the flows of each.
const (
	OpRegister       = "register"
	OpChangePassword = "change_password"
	OpDeactivate     = "deactivate"
	OpAddThreePID    = "add_threepid"
	OpDeleteDevices  = "delete_devices"
	OpLoginToken     = "get_login_token"
	OpCrossSigning   = "upload_cross_signing_keys"
)
