package api

import (
	"context"

	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// preview serves what web pages say about themselves. On a server that makes no previews it answers as if it were not
// there (PREV-7).
func (a *API) preview() []route {
	return []route{
		get("/media/preview_url", byUser, a.getPreview).at("v1").limit(ratelimit.Search),
		get("/preview_url", byUser, a.getPreview).under(mediaBase).at("v3", "r0", "v1").limit(ratelimit.Search),
	}
}

type previewIn struct {
	URL string `query:"url" required:"true"`
	TS  int64  `query:"ts"`
}

func (a *API) getPreview(ctx context.Context, _ *caller, in previewIn) (rawJSON, error) {
	answer, err := a.Content.Preview(ctx, in.URL, in.TS)
	return rawJSON(answer), err
}
