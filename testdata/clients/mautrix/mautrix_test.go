// Package mautrix_test lets a client library that many bots and bridges are made
// with talk to the server, running as a program of its own.
package mautrix_test

import (
	"errors"
	"slices"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Two people meet, talk, tidy up and part; after a restart of the server
// everything is as they left it.
func TestConversation(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, data)
	alice, bob := register(t, server.url, "alice"), register(t, server.url, "bob")

	created, err := alice.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{Name: "Tea", Topic: "Milk?", Preset: "private_chat"})
	if err != nil {
		t.Fatal(err)
	}
	room := created.RoomID
	if _, err := alice.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: bob.UserID}); err != nil {
		t.Fatal(err)
	}
	bob.wait(t, "the invitation", func(e *event.Event) bool {
		return e.RoomID == room && e.Type == event.StateMember && e.GetStateKey() == string(bob.UserID) &&
			e.Content.AsMember().Membership == event.MembershipInvite
	})
	if _, err := bob.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	alice.wait(t, "bob's joining", func(e *event.Event) bool {
		return e.RoomID == room && e.Type == event.StateMember && e.GetStateKey() == string(bob.UserID) &&
			e.Content.AsMember().Membership == event.MembershipJoin
	})

	var said []id.EventID
	for range 5 {
		hello := alice.says(t, room, "Tea?")
		if heard := bob.hears(t, hello); heard.Content.AsMessage().Body != "Tea?" || heard.Sender != alice.UserID {
			t.Errorf("bob hears %+v", heard)
		}
		reply := bob.says(t, room, "Yes, please.")
		alice.hears(t, reply)
		said = append(said, hello, reply)
	}

	topic, err := alice.SendStateEvent(t.Context(), room, event.StateTopic, "", &event.TopicEventContent{Topic: "No milk."})
	if err != nil {
		t.Fatal(err)
	}
	if heard := bob.hears(t, topic.EventID); heard.Content.AsTopic().Topic != "No milk." {
		t.Errorf("bob hears %+v", heard)
	}
	redaction, err := alice.RedactEvent(t.Context(), room, said[2], mautrix.ReqRedact{Reason: "too much tea"})
	if err != nil {
		t.Fatal(err)
	}
	if heard := bob.hears(t, redaction.EventID); heard.Redacts != said[2] {
		t.Errorf("bob hears %+v", heard)
	}
	var denied mautrix.HTTPError
	if _, err := bob.SendStateEvent(t.Context(), room, event.StateTopic, "", &event.TopicEventContent{Topic: "Coffee!"}); !errors.As(err, &denied) ||
		!errors.Is(err, mautrix.MForbidden) {
		t.Errorf("bob changes the topic: %v", err)
	}
	before := alice.history(t, room)
	checkHistory(t, before, said, said[2])

	if _, err := bob.LeaveRoom(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	alice.wait(t, "bob's leaving", func(e *event.Event) bool {
		return e.Type == event.StateMember && e.GetStateKey() == string(bob.UserID) && e.Content.AsMember().Membership == event.MembershipLeave
	})
	before = alice.history(t, room)
	bob.stop()
	if _, err := bob.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Whoami(t.Context()); !errors.Is(err, mautrix.MUnknownToken) {
		t.Errorf("bob's token after the logout: %v", err)
	}
	alice.stop()
	server.stop(t)

	server = start(t, data)
	defer server.stop(t)
	old, err := mautrix.NewClient(server.url, alice.UserID, alice.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if me, err := old.Whoami(t.Context()); err != nil || me.UserID != alice.UserID || me.DeviceID != alice.DeviceID {
		t.Errorf("alice's session after the restart: %+v, %v", me, err)
	}
	alice, bob = login(t, server.url, "alice"), login(t, server.url, "bob")
	defer alice.stop()
	defer bob.stop()
	for p, wanted := range map[*person][]id.RoomID{alice: {room}, bob: {}} {
		joined, err := p.JoinedRooms(t.Context())
		if err != nil || !slices.Equal(joined.JoinedRooms, wanted) {
			t.Errorf("%s is in %v, %v", p.UserID, joined, err)
		}
	}
	var now event.TopicEventContent
	if err := alice.StateEvent(t.Context(), room, event.StateTopic, "", &now); err != nil || now.Topic != "No milk." {
		t.Errorf("the topic is %q, %v", now.Topic, err)
	}
	alice.wait(t, "the room", func(e *event.Event) bool { return e.RoomID == room && e.Type == event.StateTopic })
	after := alice.history(t, room)
	if !slices.EqualFunc(before, after, func(a, b *event.Event) bool { return a.ID == b.ID }) {
		t.Errorf("the history has changed: %d events before, %d after", len(before), len(after))
	}
	checkHistory(t, after, said, said[2])
	if _, err := bob.SendText(t.Context(), room, "Hello?"); !errors.Is(err, mautrix.MForbidden) {
		t.Errorf("bob talks to a room that he has left: %v", err)
	}
}

// checkHistory checks that a history has the messages in their order, one of
// them redacted, and begins with the creation of the room.
func checkHistory(t *testing.T, history []*event.Event, said []id.EventID, redacted id.EventID) {
	t.Helper()
	var messages []id.EventID
	for _, e := range history {
		if e.Type != event.EventMessage {
			continue
		}
		messages = append(messages, e.ID)
		if err := e.Content.ParseRaw(e.Type); err != nil {
			t.Fatal(err)
		}
		if gone := e.Content.AsMessage().Body == ""; gone != (e.ID == redacted) || gone != (e.Unsigned.RedactedBecause != nil) {
			t.Errorf("message %s: content %s, redacted because %v", e.ID, e.Content.VeryRaw, e.Unsigned.RedactedBecause)
		}
	}
	slices.Reverse(messages)
	if !slices.Equal(messages, said) {
		t.Errorf("the history has the messages %v, said was %v", messages, said)
	}
	if first := history[len(history)-1]; first.Type != event.StateCreate {
		t.Errorf("the history begins with %s", first.Type.Type)
	}
}
