package mautrix_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/util/jsontime"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// verifier is a person who takes part in one verification by emoji and remembers
// what they are told and shown.
type verifier struct {
	*person
	*verificationhelper.VerificationHelper
	store     verificationhelper.VerificationStore
	confirmed chan struct{} // closed when the person has confirmed

	mu        sync.Mutex
	requested id.VerificationTransactionID
	ready     bool
	emoji     string
	done      bool
	cancelled string
}

// loginToVerify signs in on a device that can encrypt and take part in a
// verification.
func loginToVerify(t *testing.T, url, username string) *verifier {
	t.Helper()
	v := &verifier{store: verificationhelper.NewInMemoryVerificationStore(), confirmed: make(chan struct{})}
	v.person = login(t, url, username, encrypting(t), func(cli *mautrix.Client) {
		syncer := cli.Syncer.(*mautrix.DefaultSyncer)
		syncer.OnEvent(v.prepare)
		v.VerificationHelper = verificationhelper.NewVerificationHelper(cli, (&person{Client: cli}).machine(), v.store, v, false, false, true)
		if err := v.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	return v
}

// prepare puts two things right that this version of the library has wrong. In a
// room it takes the ID of an event for that of the verification, which is the ID
// of the event that the event refers to. And it mixes up the master keys of two
// users, or loses count of who has confirmed, if the confirmation of the other
// side comes before one's own; so that has to wait.
func (v *verifier) prepare(ctx context.Context, e *event.Event) {
	if !strings.HasPrefix(e.Type.Type, "m.key.verification.") {
		return
	}
	if e.RoomID != "" && e.Sender != v.UserID {
		e.ID = e.Content.Parsed.(event.Relatable).GetRelatesTo().GetReferenceID()
	}
	if e.Type.Type == event.InRoomVerificationMAC.Type {
		select {
		case <-v.confirmed:
		case <-ctx.Done():
		}
	}
}

// asks requests a verification in an encrypted room. The library's own
// StartInRoomVerification encrypts the request twice, so that nobody can read it.
func (v *verifier) asks(t *testing.T, room id.RoomID, to id.UserID) id.VerificationTransactionID {
	t.Helper()
	request, err := v.SendMessageEvent(t.Context(), room, event.EventMessage, &event.MessageEventContent{
		MsgType: event.MsgVerificationRequest, Body: "Please verify me.",
		FromDevice: v.DeviceID, Methods: []event.VerificationMethod{event.VerificationMethodSAS}, To: to,
	})
	if err != nil {
		t.Fatal(err)
	}
	txnID := id.VerificationTransactionID(request.EventID)
	if err := v.store.SaveVerificationTransaction(t.Context(), verificationhelper.VerificationTransaction{
		ExpirationTime: jsontime.UM(time.Now().Add(5 * time.Minute)), RoomID: room, TransactionID: txnID, TheirUserID: to,
		VerificationState: verificationhelper.VerificationStateRequested,
	}); err != nil {
		t.Fatal(err)
	}
	return txnID
}

// note remembers something and wakes whoever waits for it.
func (v *verifier) note(what func()) {
	v.mu.Lock()
	what()
	v.mu.Unlock()
	v.learn()
}

func (v *verifier) VerificationRequested(_ context.Context, txnID id.VerificationTransactionID, _ id.UserID, _ id.DeviceID) {
	v.note(func() { v.requested = txnID })
}

func (v *verifier) VerificationReady(_ context.Context, _ id.VerificationTransactionID, _ id.DeviceID, emoji, _ bool, _ *verificationhelper.QRCode) {
	v.note(func() { v.ready = emoji })
}

func (v *verifier) VerificationCancelled(_ context.Context, _ id.VerificationTransactionID, code event.VerificationCancelCode, reason string) {
	v.note(func() { v.cancelled = string(code) + ": " + reason })
}

func (v *verifier) VerificationDone(context.Context, id.VerificationTransactionID, event.VerificationMethod) {
	v.note(func() { v.done = true })
}

func (v *verifier) ShowSAS(_ context.Context, _ id.VerificationTransactionID, emoji []rune, _ []string, _ []int) {
	v.note(func() { v.emoji = string(emoji) })
}

// awaits waits until something holds for the verification, which must not be
// cancelled.
func (v *verifier) awaits(t *testing.T, what string, holds func() bool) {
	t.Helper()
	v.until(t, what, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.cancelled != "" {
			t.Fatalf("%s waits for %s, but the verification is cancelled: %s", v.DeviceID, what, v.cancelled)
		}
		return holds()
	})
}

// verify has one side accept the request of the other, compares the emoji and
// confirms them on both sides.
func verify(t *testing.T, txnID id.VerificationTransactionID, asks, answers *verifier) {
	t.Helper()
	answers.awaits(t, "the request", func() bool { return answers.requested == txnID })
	if err := answers.AcceptVerification(t.Context(), txnID); err != nil {
		t.Fatal(err)
	}
	asks.awaits(t, "the readiness", func() bool { return asks.ready })
	if err := asks.StartSAS(t.Context(), txnID); err != nil {
		t.Fatal(err)
	}
	asks.awaits(t, "the emoji", func() bool { return asks.emoji != "" })
	answers.awaits(t, "the emoji", func() bool { return answers.emoji != "" })
	if asks.emoji != answers.emoji || len([]rune(asks.emoji)) != 7 {
		t.Errorf("one side shows %s, the other %s", asks.emoji, answers.emoji)
	}
	for _, side := range []*verifier{asks, answers} {
		if err := side.ConfirmSAS(t.Context(), txnID); err != nil {
			t.Fatal(err)
		}
		close(side.confirmed)
	}
	asks.awaits(t, "the end", func() bool { return asks.done })
	answers.awaits(t, "the end", func() bool { return answers.done })
}
