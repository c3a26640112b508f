package appservice

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// maxShown bounds what is told of the answer of a service that refuses, in bytes.
const maxShown = 64 << 10

// Ping calls a service and returns how long it took to answer. txn, if not empty, is
// for the service to recognise the call by. M_URL_NOT_SET, M_BAD_STATUS,
// M_CONNECTION_FAILED, M_CONNECTION_TIMEOUT (ASC-13, ASC-14).
func (c *Client) Ping(ctx context.Context, s *Service, txn string) (time.Duration, error) {
	if s.URL == "" {
		return 0, mxerr.URLNotSet("the registration of the application service has no URL")
	}
	body, err := json.Marshal(struct {
		Txn string `json:"transaction_id,omitempty"`
	}{txn})
	if err != nil {
		return 0, err
	}
	started := c.Now()
	status, answer, err := c.call(ctx, s, http.MethodPost, "ping", body)
	if err != nil {
		return 0, unanswered(err)
	}
	if status/100 != 2 {
		return 0, mxerr.BadStatus(status, strings.ToValidUTF8(string(answer[:min(len(answer), maxShown)]), "\uFFFD"))
	}
	return c.Now().Sub(started), nil
}

// unanswered says why a service has given no answer.
func unanswered(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // nobody waits for the answer
	}
	if slow, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && slow.Timeout() {
		return mxerr.ConnectionTimeout("the application service did not answer in time").Because(err)
	}
	return mxerr.ConnectionFailed("the application service cannot be reached").Because(err)
}
