package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// The resources of the cluster that pages are about.
const (
	testRuns   = "testruns"
	tests      = "tests"
	testQueues = "testqueues"
)

const (
	// kubeTimeout is for one answer of the API server, and maxAnswer how large it may be.
	kubeTimeout = 10 * time.Second
	maxAnswer   = 16 << 20
	// maxListed is how many objects a list has at most.
	maxListed = 500
)

// kube asks the API server. Each request is made with the token of whoever looks, and nothing with the credentials of the server.
type kube struct {
	objects *rest.RESTClient
	rights  *rights
}

func newKube(base *rest.Config) (*kube, error) {
	objects, err := clientOf(base, v1alpha1.GroupVersion)
	if err != nil {
		return nil, err
	}
	rights, err := newRights(base)
	return &kube{objects, rights}, err
}

// clientOf is a client that has no credentials.
func clientOf(base *rest.Config, group schema.GroupVersion) (*rest.RESTClient, error) {
	config := rest.AnonymousClientConfig(base)
	config.APIPath = "/apis"
	config.GroupVersion = &group
	refusals := runtime.NewScheme()
	metav1.AddToGroupVersion(refusals, schema.GroupVersion{Version: "v1"})
	config.NegotiatedSerializer = serializer.NewCodecFactory(refusals).WithoutConversion()
	config.QPS = -1
	return rest.RESTClientFor(config)
}

// fetchObject reads an object of the cluster. There is none with a name that Kubernetes does not allow.
func (v *visit) fetchObject(into any, resource, namespace, name string) error {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return asTheClusterSays(apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource(resource).GroupResource(), name))
	}
	return v.ask(v.kube.objects.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name), into)
}

// listObjects reads the objects of a namespace, or of all of them if it is empty: maxListed at most, of which into's Continue says whether
// there are more. query may select.
func (v *visit) listObjects(into any, resource, namespace string, query url.Values) error {
	request := v.kube.objects.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Param("limit", fmt.Sprint(maxListed))
	for name, values := range query {
		request.Param(name, values[0])
	}
	return v.ask(request, into)
}

// createObject creates an object, and reads what became of it. Fields that the API server does not know are refused.
func (v *visit) createObject(object, into any, resource, namespace string) error {
	request, err := postOf(v.kube.objects, resource, object)
	if err != nil {
		return err
	}
	return v.ask(request.NamespaceIfScoped(namespace, namespace != "").Param("fieldValidation", "Strict"), into)
}

func postOf(client *rest.RESTClient, resource string, object any) (*rest.Request, error) {
	text, err := json.Marshal(object)
	return client.Post().Resource(resource).SetHeader("Content-Type", "application/json").Body(text), err
}

// patchObject merges the patch into an object, and reads what became of it. A patch with metadata.uid changes only the object that it means,
// and not another one that has its name by now.
func (v *visit) patchObject(patch, into any, resource, namespace, name string) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	request := v.kube.objects.Patch(types.MergePatchType).NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name)
	return v.ask(request.Param("fieldValidation", "Strict").Body(text), into)
}

func (v *visit) ask(request *rest.Request, into any) error {
	return asTheClusterSays(send(v.r.Context(), v.session.Token, request, into))
}

// send sends a request in the name of whom the token is of, and reads the answer into into.
func send(ctx context.Context, token string, request *rest.Request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, kubeTimeout)
	defer cancel()
	answer, err := request.SetHeader("Authorization", "Bearer "+token).SetHeader("Accept", "application/json").MaxRetries(0).Stream(ctx)
	if err != nil {
		return err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxAnswer:
		return errors.New("the answer of the API server is too large")
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}

// refusal is a problem that the API server has told of. errors.As finds what it said.
type refusal struct {
	problem
	cause error
}

// Unwrap leads to both.
func (r *refusal) Unwrap() []error { return []error{&r.problem, r.cause} }

// asTheClusterSays hands on an error of the API server.
func asTheClusterSays(err error) error {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &status):
		return &refusal{problem{
			http.StatusServiceUnavailable, "The cluster does not answer", "The API server cannot be reached, or says nothing that can be read. Try again in a moment.",
		}, err}
	case apierrors.IsUnauthorized(err):
		return &apiError{http.StatusUnauthorized, status.Status().Message}
	case apierrors.IsForbidden(err):
		return &refusal{problem{http.StatusForbidden, "You may not do this", status.Status().Message}, err}
	case apierrors.IsNotFound(err):
		return &refusal{problem{http.StatusNotFound, "It is not in the cluster", status.Status().Message}, err}
	}
	code := int(status.Status().Code)
	if code < http.StatusBadRequest || code >= 600 {
		code = http.StatusBadGateway
	}
	return &refusal{problem{code, "The cluster refuses this", status.Status().Message}, err}
}
