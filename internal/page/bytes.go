package page

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
)

// artifact passes on a file that a test left. The API has it saved, and never shown as a page.
func (v *visit) artifact() error { return v.pass("artifact", "attempt", "path", "partial") }

// rawOutput passes on the whole output.
func (v *visit) rawOutput() error { return v.pass("output", "attempt", "offset", "follow") }

// pass passes on the API's answer with bytes of a run. An answer that is none is a page that says why.
func (v *visit) pass(what string, parameters ...string) error {
	query := url.Values{}
	for _, name := range parameters {
		if value := v.r.FormValue(name); value != "" {
			query.Set(name, value)
		}
	}
	request, err := v.api.request(v.r.Context(), v.session.Token, "/runs/"+url.PathEscape(v.r.PathValue("uid"))+"/"+what, query)
	if err != nil {
		return err
	}
	for _, name := range []string{"Range", "If-Range"} {
		request.Header[name] = v.r.Header[name]
	}
	answer := &passing{ResponseWriter: v.w}
	v.api.handler.ServeHTTP(answer, request)
	if answer.refused == 0 {
		return nil
	}
	refused := &apiError{}
	if err := json.Unmarshal(answer.problem.Bytes(), refused); err != nil || refused.Status == 0 {
		refused = &apiError{Status: answer.refused, Detail: http.StatusText(answer.refused)}
	}
	return refused
}

// passing is an answer that is passed on unless it is an error.
type passing struct {
	http.ResponseWriter
	refused int
	problem bytes.Buffer
}

func (p *passing) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *passing) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		p.refused = status
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *passing) Write(part []byte) (int, error) {
	if p.refused != 0 {
		return p.problem.Write(part)
	}
	return p.ResponseWriter.Write(part)
}
