package sqlstore

// Setting implements store.Settings.
func (v *view) Setting(name string) ([]byte, error) {
	return one(v, func(r row) []byte { return r.blob(0) },
		`SELECT value FROM hs_settings WHERE name = ?`, name)
}

// PutSetting implements store.SettingWriter.
func (t *tx) PutSetting(name string, value []byte) error {
	_, err := t.exec(`INSERT INTO hs_settings (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, bytes(value))
	return err
}
