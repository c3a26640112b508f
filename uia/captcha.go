package uia

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Captcha is a service that tells people from programs. The zero value of the
// fields that are not marked as required is Google's reCAPTCHA version 2;
// hCaptcha and Turnstile, which behave alike, need URLs, origins and a class of
// their own.
type Captcha struct {
	SiteKey string // public; required
	Secret  string // of the site; required

	VerifyURL string // where answers are checked
	ScriptURL string // what the fallback page loads
	Class     string // of the element that the script turns into the widget
	// Origins are all sources that the script loads more from.
	Origins []string

	Client *http.Client // nil: http.DefaultClient
}

// The service that a Captcha is by default.
const (
	recaptchaVerify = "https://www.google.com/recaptcha/api/siteverify"
	recaptchaScript = "https://www.google.com/recaptcha/api.js"
	recaptchaClass  = "g-recaptcha"
)

func recaptchaOrigins() []string {
	return []string{"https://www.google.com/recaptcha/", "https://www.gstatic.com/recaptcha/", "https://recaptcha.google.com/recaptcha/"}
}

// maxVerdict bounds what a captcha service may answer, in bytes.
const maxVerdict = 64 << 10

// Stage returns the m.login.recaptcha stage.
func (c Captcha) Stage() Stage {
	c.VerifyURL = cmp.Or(c.VerifyURL, recaptchaVerify)
	c.ScriptURL = cmp.Or(c.ScriptURL, recaptchaScript)
	c.Class = cmp.Or(c.Class, recaptchaClass)
	if len(c.Origins) == 0 {
		c.Origins = recaptchaOrigins()
	}
	c.Client = cmp.Or(c.Client, http.DefaultClient)
	return captcha{c}
}

type captcha struct{ Captcha }

var (
	_ Parameterized = captcha{}
	_ Asker         = captcha{}
)

// Type implements Stage.
func (captcha) Type() string { return TypeReCaptcha }

// Params implements Parameterized.
func (c captcha) Params(string, Operation) any {
	return map[string]string{"public_key": c.SiteKey}
}

// Check implements Stage.
func (c captcha) Check(ctx context.Context, a Attempt) (Passed, error) {
	response := gjson.GetBytes(a.Auth, "response").String()
	if response == "" {
		return Passed{}, mxerr.CaptchaNeeded("solve the captcha first")
	}
	ok, err := c.verify(ctx, response)
	if err == nil && !ok {
		err = mxerr.CaptchaInvalid("the captcha was not solved, or too long ago")
	}
	return Passed{}, err
}

func (c captcha) verify(ctx context.Context, response string) (ok bool, err error) {
	form := url.Values{"secret": {c.Secret}, "response": {response}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.VerifyURL, strings.NewReader(form.Encode()))
	if err != nil {
		return false, fmt.Errorf("verify captcha: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.Client.Do(req)
	if err != nil {
		return false, fmt.Errorf("verify captcha: %w", err)
	}
	defer res.Body.Close()
	var verdict struct {
		Success bool `json:"success"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxVerdict)).Decode(&verdict); err != nil {
		return false, fmt.Errorf("verify captcha: status %d: %w", res.StatusCode, err)
	}
	return verdict.Success, nil
}

// Form implements Asker.
func (c captcha) Form(Operation) Form {
	return Form{
		Title: "Show that you are not a robot",
		Widget: &Widget{
			Script: c.ScriptURL, Class: c.Class, SiteKey: c.SiteKey, Origins: c.Origins,
			Input: "g-recaptcha-response", Name: "response",
		},
		Submit: "Continue",
	}
}
