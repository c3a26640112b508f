package homeserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/room"
)

// NoticeUsageLimit is the [Notice] type of the specification: a limit on how much
// the server may be used is reached.
const NoticeUsageLimit = "m.server_notice.usage_limit_reached"

// Notice is something that the server has to say to a user. Body and Type are
// needed, and with [NoticeUsageLimit] AdminContact, a URI; LimitType is
// "monthly_active_user" then, unless it says something else. Other types are named
// like Java packages, such as "com.example.maintenance".
type Notice struct {
	Body string // text
	Type string // the specification's or a namespaced one
	// AdminContact and LimitType are what notices of a usage limit tell.
	AdminContact string
	LimitType    string
	// Pin keeps the notice in view, as long as it is in force.
	Pin bool
}

// WithServerNotices makes it possible to send notices to users with
// [Server.SendNotice]. They come from a user of their own, whose account [New] makes
// if it is not there yet; nobody can sign in to it with a password. Its name is what
// comes before the colon of its ID, such as "notices". The other name is that of the
// rooms in which users get their notices, such as "Server notices".
//
// Default: there are no notices.
func WithServerNotices(username, roomName string) Option {
	return func(c *config) {
		c.notices, c.noticesName = username, roomName
		if !events.ValidLocalpart(username) {
			c.fault("WithServerNotices: %q is no name for a user", username)
		}
		if roomName == "" {
			c.fault("WithServerNotices: the rooms have no name")
		}
	}
}

// SendNotice sends a notice to a user and returns the ID of its event. The user is
// invited to a room for notices, one for each user, unless they are in it already.
// A notice that is pinned stays so until [Server.UnpinNotice].
//
// Errors that are an [*Error]: M_NOT_FOUND for a user who does not exist,
// M_INVITE_BLOCKED for one who wants no invites, M_MISSING_PARAM if the notice lacks
// something, M_FORBIDDEN without [WithServerNotices].
func (s *Server) SendNotice(ctx context.Context, user events.UserID, n Notice) (events.EventID, error) {
	switch {
	case s.rooms.Notices == "":
		return "", mxerr.Forbidden("this server sends no notices")
	case n.Body == "":
		return "", mxerr.MissingParam("Body")
	case n.Type == "":
		return "", mxerr.MissingParam("Type")
	case n.Type == NoticeUsageLimit && n.AdminContact == "":
		return "", mxerr.MissingParam("AdminContact")
	case n.Type == NoticeUsageLimit && n.LimitType == "":
		n.LimitType = "monthly_active_user"
	}
	return s.rooms.Notify(ctx, user, room.Notice(n))
}

// UnpinNotice unpins a notice that is not in force any more. One that is not pinned
// is no error.
func (s *Server) UnpinNotice(ctx context.Context, user events.UserID, notice events.EventID) error {
	return s.rooms.UnpinNotice(ctx, user, notice)
}

// makeUsers makes the users that act for the server and for application services, if
// they are not there yet.
func (s *Server) makeUsers(cfg *config) error {
	if cfg.notices != "" {
		if err := s.makeUser(cfg.notices); err != nil {
			return fmt.Errorf("make user for notices: %w", err)
		}
	}
	for _, service := range cfg.services.All() {
		if err := s.makeUser(service.Sender); err != nil {
			return fmt.Errorf("make user of application service %q: %w", service.ID, err)
		}
	}
	return nil
}

// makeUser sees to it that there is a user for what the server or the host does by
// itself.
func (s *Server) makeUser(username string) error {
	// It is one small transaction, before anybody else can ask for any.
	_, err := s.accounts.CreateUser(context.Background(), username, "")
	if errors.Is(err, mxerr.MUserInUse) {
		return nil
	}
	return err
}
