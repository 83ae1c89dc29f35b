package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// checker holds answers against the OpenAPI document.
type checker struct {
	document *huma.OpenAPI
	// paths finds the operation of a request.
	paths      *http.ServeMux
	operations map[string]*huma.Operation
}

func newChecker() checker {
	c := checker{paths: http.NewServeMux(), operations: map[string]*huma.Operation{}}
	c.document, _ = Document()
	for path, item := range c.document.Paths {
		for method, operation := range map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post} {
			if operation != nil {
				c.paths.HandleFunc(method+" "+path, http.NotFound)
				c.operations[method+" "+path] = operation
			}
		}
	}
	return c
}

// check says what of an answer is not as the document says; nothing if all is.
func (c checker) check(request *http.Request, got response) string {
	_, pattern := c.paths.Handler(request)
	operation := c.operations[pattern]
	if operation == nil {
		return "" // a path that is not described, and must not be found
	}
	described := operation.Responses[strconv.Itoa(got.StatusCode)]
	if described == nil {
		return "it has no such status"
	}
	for name := range described.Headers {
		if name != headerGaps && got.Header.Get(name) == "" {
			return "the header " + name + " is missing"
		}
	}
	mediaType, _, _ := mime.ParseMediaType(got.Header.Get("Content-Type"))
	content := described.Content[mediaType]
	if content == nil && described.Content[anyBytes] == nil {
		return "it has no such type: " + mediaType
	}
	if content == nil || content.Schema == nil || !strings.HasSuffix(mediaType, "json") || got.Request.Method == http.MethodHead {
		return ""
	}
	var value any
	if err := json.Unmarshal(got.body, &value); err != nil {
		return err.Error()
	}
	result := &huma.ValidateResult{}
	huma.Validate(c.document.Components.Schemas, content.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
	if len(result.Errors) > 0 {
		return fmt.Sprint(errors.Join(result.Errors...))
	}
	return ""
}
