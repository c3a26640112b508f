package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Upload is content on its way in.
type Upload struct {
	Owner events.UserID
	Type  string // content type; empty: application/octet-stream
	Name  string // file name; empty: none
	Size  int64  // as announced, in bytes; -1: unknown
	Body  io.Reader
}

// defaultType is the content type of what has none (MEDIA-3).
const defaultType = "application/octet-stream"

// maxName bounds what else is stored for an upload, in bytes.
const maxName = 1024

// maxUploading is how many uploads of one user may be on their way: each holds a
// connection and a buffer for as long as the client likes.
const maxUploading = 16

// retryUploading is what users are told to wait who have as many on their way.
const retryUploading = time.Second

// retryPending is what users are told to wait who have too many media IDs that
// wait for content. Any upload of theirs makes room.
const retryPending = 10 * time.Second

// pendingFor is how long an ID waits for its content (MEDIA-8).
const pendingFor = 24 * time.Hour

// Upload stores content and returns its media ID (MEDIA-1).
//
// M_TOO_LARGE over the limit, M_FORBIDDEN or M_USER_LIMIT_EXCEEDED over the
// owner's quota, M_UNKNOWN if the body breaks off; then nothing is kept
// (MEDIA-5, MEDIA-6).
func (s *Service) Upload(ctx context.Context, u Upload) (id string, err error) {
	quota, err := s.admit(ctx, &u)
	if err != nil {
		return "", err
	}
	id = newID()
	err = s.keep(ctx, u, quota, func(tx store.Tx, m store.Medium) error {
		m.ID = id
		return tx.AddMedium(m)
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// Create returns a media ID whose content its owner may upload later, and until
// when, in milliseconds (MEDIA-8). M_LIMIT_EXCEEDED if too many wait already
// (MEDIA-9).
func (s *Service) Create(ctx context.Context, owner events.UserID) (id string, expiresTS int64, err error) {
	id = newID()
	now := s.nowMillis()
	expiresTS = now + pendingFor.Milliseconds()
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		usage, err := tx.MediaUsage(owner)
		if err == nil && usage.Pending >= s.MaxPending {
			if err = deleteExpired(tx, now); err == nil {
				usage, err = tx.MediaUsage(owner)
			}
		}
		if err != nil {
			return err
		}
		if usage.Pending >= s.MaxPending {
			return mxerr.LimitExceeded(retryPending)
		}
		return tx.AddMedium(store.Medium{ID: id, Owner: owner, ExpiresTS: expiresTS})
	})
	return id, expiresTS, err
}

// Fill stores the content of a media ID that [Service.Create] has returned to
// the same user, once (MEDIA-10).
//
// M_NOT_FOUND for IDs that are unknown, expired or of another server,
// M_FORBIDDEN for those of another user (MEDIA-12), M_CANNOT_OVERWRITE_MEDIA
// where content is there or on its way (MEDIA-11), all of them before the body is
// looked at. The errors of Upload otherwise; the ID stays usable then (MEDIA-13).
func (s *Service) Fill(ctx context.Context, ref Ref, u Upload) error {
	if ref.Server != string(s.Server) || !validID(ref.ID) {
		return notFound()
	}
	err := s.Store.View(ctx, func(v store.View) error {
		_, err := s.pending(v, ref.ID, u.Owner)
		return err
	})
	if err != nil {
		return err
	}
	if !s.claim(ref.ID) {
		return mxerr.CannotOverwriteMedia("the content is being uploaded")
	}
	defer s.unclaim(ref.ID)
	quota, err := s.admit(ctx, &u)
	if err != nil {
		return err
	}
	return s.keep(ctx, u, quota, func(tx store.Tx, m store.Medium) error {
		was, err := s.pending(tx, ref.ID, u.Owner)
		if err != nil {
			return err
		}
		m.ID, m.ExpiresTS = was.ID, was.ExpiresTS
		tx.OnCommit(func() { s.arrivals.announce(m.ID) })
		return tx.UpdateMedium(m)
	})
}

// pending returns a medium that its owner may fill.
func (s *Service) pending(v store.View, id string, owner events.UserID) (store.Medium, error) {
	m, err := v.Medium(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, notFound()
	case err != nil:
		return m, err
	case m.Owner != owner:
		return m, mxerr.Forbidden("this media ID belongs to another user")
	case m.Blob != "":
		return m, mxerr.CannotOverwriteMedia("this media ID has content already")
	case m.ExpiresTS <= s.nowMillis():
		return m, mxerr.NotFound("this media ID has expired")
	}
	return m, nil
}

// claim reserves an ID for one upload at a time.
func (s *Service) claim(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filling[id] {
		return false
	}
	s.filling[id] = true
	return true
}

func (s *Service) unclaim(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.filling, id)
}

// begin counts an upload in, unless there are too many; end counts it out.
func (s *Service) begin(owner events.UserID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploading[owner] >= maxUploading {
		return false
	}
	s.uploading[owner]++
	return true
}

func (s *Service) end(owner events.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploading[owner]--; s.uploading[owner] == 0 {
		delete(s.uploading, owner)
	}
}

// admit refuses what can be refused before the body is read, and says how much
// the owner may have.
func (s *Service) admit(ctx context.Context, u *Upload) (q Quota, err error) {
	if u.Type == "" {
		u.Type = defaultType
	}
	switch {
	case len(u.Type) > maxName:
		return q, mxerr.InvalidParam("Content-Type", "may have at most %d bytes", maxName)
	case len(u.Name) > maxName:
		return q, mxerr.InvalidParam("filename", "may have at most %d bytes", maxName)
	case u.Size > s.MaxUpload:
		return q, s.tooLarge()
	}
	if s.CheckUpload != nil {
		if err := s.CheckUpload(ctx, *u); err != nil {
			return q, err
		}
	}
	if s.Quota != nil {
		q, err = s.Quota(ctx, u.Owner)
	}
	return q, err
}

func (s *Service) tooLarge() *mxerr.Error {
	return mxerr.TooLarge("the content may have at most %d bytes", s.MaxUpload)
}

// room returns how many more bytes fit into a quota, at most limit, and refuses
// a file if there are not that many.
func (q Quota) room(usage store.MediaUsage, size, limit int64) (int64, error) {
	if q.Files > 0 && usage.Files >= q.Files {
		return 0, q.exceeded()
	}
	if q.Bytes > 0 {
		limit = min(limit, q.Bytes-usage.Bytes)
		if size > limit || limit < 0 {
			return 0, q.exceeded()
		}
	}
	return limit, nil
}

func (q Quota) exceeded() *mxerr.Error {
	const text = "you have uploaded as much as you may"
	if q.InfoURI != "" {
		return mxerr.UserLimitExceeded(q.InfoURI, text)
	}
	return mxerr.Forbidden(text)
}

// keep stores the content of an upload that is admitted and then calls add,
// which makes the medium visible, in one transaction with everything else.
func (s *Service) keep(ctx context.Context, u Upload, q Quota, add func(store.Tx, store.Medium) error) error {
	if !s.begin(u.Owner) {
		return mxerr.LimitExceeded(retryUploading)
	}
	defer s.end(u.Owner)
	key := newID()
	body, err := s.announce(ctx, key, u, q)
	if err != nil {
		return err
	}
	blob := key
	hash, err := s.write(ctx, key, body)
	if err == nil {
		m := store.Medium{Owner: u.Owner, Type: u.Type, Name: u.Name, Size: body.size}
		err = s.Store.Update(ctx, func(tx store.Tx) error {
			usage, err := tx.MediaUsage(u.Owner)
			if err != nil {
				return err
			}
			if _, err = q.room(usage, m.Size, s.MaxUpload); err != nil {
				return err
			}
			if blob, err = share(tx, key, hash); err != nil {
				return err
			}
			m.Blob, m.StoredTS = blob, s.nowMillis()
			m.AccessedTS = m.StoredTS
			return add(tx, m)
		})
	}
	if err != nil || blob != key {
		s.discard(ctx, key)
	}
	return err
}

// announce makes a blob known that is about to be put, if there is room for it,
// and returns its content, which is no larger than that.
func (s *Service) announce(ctx context.Context, key string, u Upload, q Quota) (*measured, error) {
	body := &measured{r: u.Body, tooLarge: s.tooLarge()}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		usage, err := tx.MediaUsage(u.Owner)
		if err != nil {
			return err
		}
		if body.left, err = q.room(usage, u.Size, s.MaxUpload); err != nil {
			return err
		}
		return tx.AddBlob(key, s.nowMillis())
	})
	if body.left < s.MaxUpload {
		body.tooLarge = q.exceeded()
	}
	return body, err
}

// share returns the blob that has this content, which is key if it is new.
func share(tx store.Tx, key string, hash store.ContentHash) (string, error) {
	other, err := tx.BlobByHash(hash)
	if errors.Is(err, store.ErrNotFound) {
		return key, tx.SetBlobHash(key, hash)
	}
	return other, err
}

// write puts a blob and returns its hash. A body that breaks off is not the
// server's fault.
func (s *Service) write(ctx context.Context, key string, body *measured) (hash store.ContentHash, err error) {
	body.hash = newHasher()
	defer func() { hash = body.hash.sum() }()
	err = s.Blobs.Put(ctx, key, body)
	switch {
	case err == nil:
		return hash, nil
	case body.err == nil && ctx.Err() != nil:
		return hash, ctx.Err()
	case body.err == nil:
		return hash, fmt.Errorf("store content: %w", err)
	}
	// The context also ends when the connection breaks off, but there may still
	// be somebody to be told.
	if told, ok := errors.AsType[*mxerr.Error](body.err); ok {
		return hash, told
	}
	return hash, mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "the body ends too early").Because(body.err)
}

// measured is a body that is counted, hashed and limited while it is read.
type measured struct {
	r        io.Reader
	left     int64 // bytes that may still come
	tooLarge error // what more of them is
	size     int64
	hash     *hasher
	err      error // what ended the reading, other than io.EOF
}

// Read implements io.Reader.
func (m *measured) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	if int64(len(p)) > m.left+1 {
		p = p[:m.left+1] // one more, to notice it
	}
	n, err := m.r.Read(p)
	if int64(n) > m.left {
		m.err = m.tooLarge
		return 0, m.err
	}
	m.left -= int64(n)
	m.size += int64(n)
	m.hash.write(p[:n])
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}
