package mautrix_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A file is uploaded encrypted, before or after it is announced; its key is in
// the message.
func TestEncryptedFile(t *testing.T) {
	t.Parallel()
	server, alice, bob := startPair(t)
	room := alice.encryptedRoom(t, bob)

	for _, late := range []bool{false, true} {
		plain := make([]byte, 100_000)
		_, _ = rand.Read(plain)
		file := attachment.NewEncryptedFile()
		encrypted := file.Encrypt(plain)
		upload := mautrix.ReqUploadMedia{ContentBytes: encrypted, ContentType: "application/octet-stream", FileName: "secret.bin"}
		var where id.ContentURI
		if late {
			created, err := alice.CreateMXC(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			where = created.ContentURI
		} else {
			uploaded, err := alice.UploadMedia(t.Context(), upload)
			if err != nil {
				t.Fatal(err)
			}
			where = uploaded.ContentURI
		}
		sent, err := alice.SendMessageEvent(t.Context(), room, event.EventMessage, &event.MessageEventContent{
			MsgType: event.MsgFile, Body: "secret.bin",
			File: &event.EncryptedFileInfo{EncryptedFile: *file, URL: where.CUString()},
		})
		if err != nil {
			t.Fatal(err)
		}

		announced := bob.wait(t, "the file", func(e *event.Event) bool { return e.ID == sent.EventID && e.Type == event.EventMessage })
		info := announced.Content.AsMessage().File
		downloaded := make(chan []byte)
		go func() {
			defer close(downloaded)
			from, err := info.URL.Parse()
			if err != nil {
				t.Error(err)
				return
			}
			content, err := bob.DownloadBytes(t.Context(), from)
			if err != nil {
				t.Error(err)
			}
			downloaded <- content
		}()
		if late {
			upload.MXC = where
			if _, err := alice.UploadMedia(t.Context(), upload); err != nil {
				t.Fatal(err)
			}
		}
		content := <-downloaded
		if !bytes.Equal(content, encrypted) {
			t.Errorf("late %t: %d bytes were uploaded, other %d downloaded", late, len(encrypted), len(content))
		}
		if content, err = info.Decrypt(content); err != nil || !bytes.Equal(content, plain) {
			t.Errorf("late %t: the file cannot be decrypted: %v", late, err)
		}
	}
	server.stop(t, alice, bob)
}
