package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
)

// creator asks the API server for what a caller wants, as that caller.
type creator struct{ client *rest.RESTClient }

func newCreator(base *rest.Config) (*creator, error) {
	config := rest.AnonymousClientConfig(base)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	refusals := runtime.NewScheme()
	metav1.AddToGroupVersion(refusals, schema.GroupVersion{Version: "v1"})
	config.NegotiatedSerializer = serializer.NewCodecFactory(refusals).WithoutConversion()
	config.QPS = -1
	client, err := rest.RESTClientFor(config)
	return &creator{client}, err
}

// manifest is a TestRun as it is sent.
type manifest struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            map[string]any    `json:"spec"`
}

// create creates the run, as whoever the token is of.
func (c *creator) create(ctx context.Context, token string, run manifest) (metav1.PartialObjectMetadata, error) {
	body, err := json.Marshal(run)
	if err != nil {
		return metav1.PartialObjectMetadata{}, err
	}
	request := c.client.Post().Namespace(run.Metadata.Namespace).Param("fieldValidation", "Strict").Body(body)
	return c.do(ctx, token, request.SetHeader("Content-Type", "application/json"))
}

func (c *creator) get(ctx context.Context, token, namespace, name string) (metav1.PartialObjectMetadata, error) {
	return c.do(ctx, token, c.client.Get().Namespace(namespace).Name(name))
}

func (c *creator) do(ctx context.Context, token string, request *rest.Request) (object metav1.PartialObjectMetadata, err error) {
	request = request.Resource("testruns").SetHeader("Authorization", "Bearer "+token).SetHeader("Accept", "application/json")
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return object, err // in the API server's words, which Raw leaves out
	}
	text, err := result.Raw()
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	return object, err
}

// NewRun is a run that is asked for.
type NewRun struct {
	Labels      map[string]string `json:"labels,omitempty" doc:"Labels of the TestRun."`
	Annotations map[string]string `json:"annotations,omitempty" doc:"Annotations of the TestRun."`
	Spec        map[string]any    `json:"spec" doc:"The spec of the TestRun, as in the API reference of the CRD: the name of a Test in testRef, for one."`
}

type createInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" doc:"Any text, new for each run that is wanted. A request that is repeated with its key creates no second run."`
	Body NewRun
}

// CreatedRun is a run that was asked for.
type CreatedRun struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	Created   time.Time `json:"created"`
}

type createOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where to get the run from, once the archive has seen it: in a second or so."`
	Body     CreatedRun
}

// maxNewRun is how large the body of a request for a run may be. The API server takes less.
const maxNewRun = 3 << 20

func (s *server) registerCreate(api huma.API) {
	o := operation{
		id: "create-run", path: "/runs", summary: "Create a run",
		description: "Creates a TestRun with your own token, so that you need Kubernetes' right to create testruns, and to get them. " +
			"The answer is 201 if it was created, and 200 with the same run if the request came before. What the API server refuses is answered in its words.",
		errors: []int{http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests},
	}
	described := o.in(inNamespace, namespaceParameter)
	described.Method, described.Tags, described.MaxBodyBytes = http.MethodPost, []string{"namespace"}, maxNewRun
	described.DefaultStatus = http.StatusCreated
	described.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if !isName(ctx.Param("namespace")) {
			s.refuse(ctx, errNothing)
			return
		}
		next(huma.WithValue(ctx, placeKey{}, place{namespace: ctx.Param("namespace")}))
	}}
	huma.Register(api, described, func(ctx context.Context, input *createInput) (*createOutput, error) {
		where, _ := ctx.Value(placeKey{}).(place)
		output, err := s.create(ctx, where.namespace, input)
		switch {
		case err != nil:
			s.audit(ctx, actionCreate, where.namespace, CreatedRun{}, err)
		case output.Status == http.StatusCreated:
			s.audit(ctx, actionCreate, where.namespace, output.Body, nil)
		}
		return output, s.told(ctx, asTheAPIServerSays(err))
	})
	response := *api.OpenAPI().Paths[described.Path].Post.Responses["201"]
	response.Description = "The run was created by an earlier request with this key."
	api.OpenAPI().Paths[described.Path].Post.Responses["200"] = &response
}

// create creates the run, or finds the one that the same request has created before. Its name follows from the caller and the key, so that
// of two requests at once the API server takes only one.
func (s *server) create(ctx context.Context, namespace string, input *createInput) (*createOutput, error) {
	who := userOf(ctx)
	request, err := json.Marshal(input.Body)
	if err != nil {
		return nil, err
	}
	run := manifest{Spec: input.Body.Spec}
	run.APIVersion, run.Kind = v1alpha1.GroupVersion.String(), "TestRun"
	run.Metadata.Namespace, run.Metadata.Name = namespace, nameFor(who.Username, namespace, input.Key)
	run.Metadata.Labels, run.Metadata.Annotations = input.Body.Labels, map[string]string{}
	for key, value := range input.Body.Annotations {
		run.Metadata.Annotations[key] = value
	}
	run.Metadata.Annotations[v1alpha1.AnnotationRequest] = hash(request)

	// One that was deleted since is known only here.
	if before, err := s.createdBefore(ctx, namespace, run.Metadata.Name); err == nil || !errors.Is(err, archive.ErrNotFound) {
		return sameRun(before, run, err)
	}
	created, err := s.creator.create(ctx, who.token, run)
	if apierrors.IsAlreadyExists(err) {
		before, err := s.creator.get(ctx, who.token, namespace, run.Metadata.Name)
		return sameRun(before, run, err)
	}
	if err != nil {
		return nil, err
	}
	return answerFor(created, http.StatusCreated), nil
}

// createdBefore is what is kept of a run with that name.
func (s *server) createdBefore(ctx context.Context, namespace, name string) (object metav1.PartialObjectMetadata, err error) {
	run, err := s.store.RunNamed(ctx, namespace, name)
	if err != nil {
		return object, err
	}
	packed, err := s.store.Object(ctx, run.UID)
	if err != nil {
		return object, err
	}
	text, err := unpack(packed)
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	return object, err
}

// sameRun answers with a run that was created before, if that was by the same request.
func sameRun(before metav1.PartialObjectMetadata, asked manifest, err error) (*createOutput, error) {
	if err != nil {
		return nil, err
	}
	if before.Annotations[v1alpha1.AnnotationRequest] != asked.Metadata.Annotations[v1alpha1.AnnotationRequest] {
		return nil, huma.Error409Conflict("This Idempotency-Key came before with another request, which created the run " + before.Name +
			". Use a new key for each run that you want.")
	}
	return answerFor(before, http.StatusOK), nil
}

func answerFor(run metav1.PartialObjectMetadata, status int) *createOutput {
	return &createOutput{status, Root + "/runs/" + string(run.UID), CreatedRun{
		Namespace: run.Namespace, Name: run.Name, UID: string(run.UID), Created: run.CreationTimestamp.UTC(),
	}}
}

// nameFor is the name of the run that somebody creates with a key. Nobody else's key makes the same.
func nameFor(user, namespace, key string) string {
	return "api-" + hash([]byte(fmt.Sprintf("%q %q %q", user, namespace, key)))[:32]
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// asTheAPIServerSays hands on an error of the API server.
func asTheAPIServerSays(err error) error {
	var refused apierrors.APIStatus
	if !errors.As(err, &refused) {
		return err
	}
	status := int(refused.Status().Code)
	if status < 400 || status > 599 {
		status = http.StatusBadGateway
	}
	answer := huma.NewError(status, refused.Status().Message)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		return huma.ErrorWithHeaders(answer, http.Header{"Retry-After": {fmt.Sprint(seconds)}})
	}
	return answer
}

// maxObject is how large an object may be when it is unpacked; etcd takes less.
const maxObject = 8 << 20

// unpack is the text of an object that is kept.
func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(reader, maxObject))
}
