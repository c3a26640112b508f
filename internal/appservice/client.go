package appservice

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxAnswer bounds what is read of the answer of a service, in bytes.
const maxAnswer = 1 << 20

// Client sends requests to services.
type Client struct {
	HTTP *http.Client // its timeout bounds each request
	Now  func() time.Time
}

// call sends a request to a service that has a URL. The path is one below
// /_matrix/app/v1/, escaped, with its query; a nil body is none. Of a large answer only
// the beginning is returned.
func (c *Client) call(ctx context.Context, s *Service, method, path string, body []byte) (status int, answer []byte, err error) {
	target := strings.TrimRight(s.URL, "/") + "/_matrix/app/v1/" + path
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("call application service: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.ServerToken) // ASC-16
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
}
