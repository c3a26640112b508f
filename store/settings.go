package store

// Settings holds the few values a server has to remember about itself, such as
// its signing key.
type Settings interface {
	// Setting returns the value of a name. ErrNotFound if it was never set.
	Setting(name string) ([]byte, error)
}

// SettingWriter changes settings.
type SettingWriter interface {
	// PutSetting sets the value of a name, replacing an earlier one.
	PutSetting(name string, value []byte) error
}
