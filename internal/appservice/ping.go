package appservice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// maxAnswer bounds what is read of the answer of a service, in bytes.
const maxAnswer = 64 << 10

// Client sends requests to services.
type Client struct {
	HTTP *http.Client // its timeout bounds each request
	Now  func() time.Time
}

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
	target := strings.TrimRight(s.URL, "/") + "/_matrix/app/v1/ping"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("ping application service: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.ServerToken) // ASC-16
	req.Header.Set("Content-Type", "application/json")
	started := c.Now()
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, unanswered(err)
	}
	if resp.StatusCode/100 != 2 {
		return 0, mxerr.BadStatus(resp.StatusCode, strings.ToValidUTF8(string(answer), "\uFFFD"))
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
