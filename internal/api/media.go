package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// mediaBase is where the content repository was before its reading half moved to the rest of the API, and where
// uploads still are.
const mediaBase = "/_matrix/media"

// media serves the content repository.
func (a *API) media() []route {
	const (
		download = "/download/{serverName}/{mediaId}"
		thumb    = "/thumbnail/{serverName}/{mediaId}"
		fileName = "/{fileName}"
	)
	repository := func(r route) route { return r.under(mediaBase).at("v3", "r0", "v1") } // MEDIA-2
	rows := []route{
		repository(raw("POST", "/upload", byUser, a.uploadMedia)),
		repository(raw("PUT", "/upload/{serverName}/{mediaId}", byUser, a.fillMedia)),
		post("/create", byUser, a.createMedia).under(mediaBase).at("v1").ignoreBody(), // CLIENTC-19: none is sent

		raw("GET", "/media"+download, byUser, a.downloadMedia).at("v1").also("/media" + download + fileName).guests(),
		raw("GET", "/media"+thumb, byUser, a.thumbnailMedia).at("v1").guests(),
		get("/media/config", byUser, a.mediaConfig).at("v1"),

		// Content that is frozen (MEDIA-42) is for those who are signed in. Many bots still ask here for it, with their tokens.
		repository(raw("GET", download, recognised, a.downloadMedia)).also(download + fileName),
		repository(raw("GET", thumb, recognised, a.thumbnailMedia)),
		repository(get("/config", byUser, a.mediaConfig)), // MEDIA-43
	}
	for i := range rows {
		rows[i] = rows[i].limit(ratelimit.Media)
	}
	return rows
}

type uploadMediaIn struct {
	Name string `query:"filename"`
}

type fillMediaIn struct {
	Server string `path:"serverName"`
	ID     string `path:"mediaId"`
	Name   string `query:"filename"`
}

type mediaURI struct {
	URI string `json:"content_uri"`
}

type createMediaOut struct {
	mediaURI
	ExpiresTS int64 `json:"unused_expires_at"`
}

type mediaConfigOut struct {
	MaxUpload int64 `json:"m.upload.size"`
}

func (a *API) uploadMedia(ctx context.Context, w http.ResponseWriter, r *http.Request, c *caller, in uploadMediaIn) error {
	body := a.newUploadBody(w, r)
	defer body.done()
	id, err := a.Content.Upload(ctx, uploadOf(c, r, in.Name, body))
	if err != nil {
		return err
	}
	return (&response{ResponseWriter: w}).writeJSON(mediaURI{a.Content.URI(id)})
}

func (a *API) fillMedia(ctx context.Context, w http.ResponseWriter, r *http.Request, c *caller, in fillMediaIn) error {
	body := a.newUploadBody(w, r)
	defer body.done()
	err := a.Content.Fill(ctx, content.Ref{Server: in.Server, ID: in.ID}, uploadOf(c, r, in.Name, body))
	if err != nil {
		return err
	}
	return (&response{ResponseWriter: w}).writeJSON(empty{})
}

func uploadOf(c *caller, r *http.Request, name string, body *uploadBody) content.Upload {
	return content.Upload{Owner: c.User, Type: r.Header.Get("Content-Type"), Name: name, Size: r.ContentLength, Body: body}
}

func (a *API) createMedia(ctx context.Context, c *caller, _ empty) (createMediaOut, error) {
	id, expiresTS, err := a.Content.Create(ctx, c.User)
	return createMediaOut{mediaURI{a.Content.URI(id)}, expiresTS}, err
}

func (a *API) mediaConfig(context.Context, *caller, empty) (mediaConfigOut, error) {
	return mediaConfigOut{a.Content.MaxUpload}, nil
}

// mediaIn is what downloads and thumbnails have in common. The parameters allow_remote and allow_redirect may be sent
// and have no effect: nothing is fetched from other servers (MEDIA-41), and nobody is redirected (MEDIA-33).
type mediaIn struct {
	Server  string `path:"serverName"`
	ID      string `path:"mediaId"`
	Timeout *int64 `query:"timeout_ms"`
}

// defaultMediaWait is how long clients wait that do not say how long (MEDIA-30).
const defaultMediaWait = 20 * time.Second

func (in *mediaIn) ref() content.Ref { return content.Ref{Server: in.Server, ID: in.ID} }

// access tells those who are signed in from those who are not, wherever they ask.
func (in *mediaIn) access(c *caller) content.Access {
	wait := defaultMediaWait
	if in.Timeout != nil {
		wait = time.Duration(max(min(*in.Timeout, content.MaxWait.Milliseconds()), 0)) * time.Millisecond
	}
	return content.Access{Wait: wait, Anonymous: c.User == ""}
}

type downloadMediaIn struct {
	mediaIn
	Name string `path:"fileName"`
}

type thumbnailMediaIn struct {
	mediaIn
	Width    int    `query:"width" required:"true"`
	Height   int    `query:"height" required:"true"`
	Method   string `query:"method"`
	Animated bool   `query:"animated"`
}

func (a *API) downloadMedia(ctx context.Context, w http.ResponseWriter, r *http.Request, c *caller, in downloadMediaIn) error {
	suspendWriteTimeout(w, r)
	file, err := a.Content.Download(ctx, in.ref(), in.access(c))
	if err != nil {
		return err
	}
	if in.Name != "" {
		file.Name = in.Name // MEDIA-23
	}
	return sendFile(w, r, file)
}

func (a *API) thumbnailMedia(ctx context.Context, w http.ResponseWriter, r *http.Request, c *caller, in thumbnailMediaIn) error {
	for name, value := range map[string]int{"width": in.Width, "height": in.Height} {
		if value < 1 {
			return mxerr.InvalidParam(name, "must be positive") // MEDIA-51
		}
	}
	if in.Method != "" && in.Method != "scale" && in.Method != "crop" {
		return mxerr.InvalidParam("method", "must be crop or scale")
	}
	suspendWriteTimeout(w, r)
	file, err := a.Content.Thumbnail(ctx, in.ref(), in.access(c), content.ThumbnailRequest{
		Width: in.Width, Height: in.Height, Crop: in.Method == "crop", Animated: in.Animated,
	})
	if err != nil {
		return err
	}
	return sendFile(w, r, file)
}
