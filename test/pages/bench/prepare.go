package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/pages"
)

// namespace is that of the runs that finish, and of everything else.
const namespace = "load"

// longRun is the run with the long output.
var longRun = archive.Run{
	UID: "00000000-0000-4000-8000-00000000000f", Namespace: namespace, Name: "long", Series: "long", Phase: "Finished", Verdict: "Passed",
	Reason: "TestPassed", ResourceVersion: "1",
}

// bench is a server and those who look.
type bench struct {
	settings
	folder string
	server *server
	tokens []string
}

func (b *bench) prepare(ctx context.Context) error {
	if b.database == "" {
		b.database = "sqlite:" + b.folder + "/archive.db"
	}
	if err := b.keepLongOutput(ctx); err != nil {
		return err
	}
	if err := b.addPeople(ctx); err != nil {
		return err
	}
	var err error
	b.server, err = startServer(ctx, b.program, b.database, b.folder, namespace)
	return err
}

func (b *bench) keepLongOutput(ctx context.Context) error {
	site, err := pages.Open(ctx, b.database, b.folder)
	if err != nil {
		return err
	}
	run := longRun
	run.Created = time.Now().Add(-time.Hour)
	run.Started, run.Finished = run.Created.Add(time.Second), run.Created.Add(time.Minute)
	var text strings.Builder
	for i := range b.Lines {
		fmt.Fprintf(&text, "2026-11-27T12:00:00Z line %07d: \x1b[32mok\x1b[0m - the basket has %d articles\n", i+1, i%7)
	}
	attempt := archive.Attempt{UID: run.UID, Number: 1, Job: "long-1", Pod: "long-1-x", Verdict: run.Verdict, Created: run.Created, Started: run.Started, Finished: run.Finished}
	err = site.Keep(ctx, archive.RunState{Run: run, Attempts: []archive.Attempt{attempt}, Object: pages.ObjectOf(run)})
	if err == nil {
		err = site.KeepStream(ctx, pages.OwnerOf(run), push.Stream{Kind: push.Output}, text.String())
	}
	return errors.Join(err, site.Close())
}

// addPeople makes accounts that may see all runs.
func (b *bench) addPeople(ctx context.Context) error {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "viewer"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"testruns", "testruns/log", "testruns/artifacts", "tests"}, Verbs: []string{"get", "list", "watch"},
	}}}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, role,
		&corev1.ConfigMap{ObjectMeta: named(archivestatus.ConfigMap)}, &coordinationv1.Lease{ObjectMeta: named(archivestatus.ConfigMap)},
	}
	for i := range b.Users {
		name := fmt.Sprintf("user-%d", i)
		objects = append(objects, &corev1.ServiceAccount{ObjectMeta: named(name)}, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
		})
	}
	for _, object := range objects {
		if err := apiserver.Client.Create(ctx, object); err != nil {
			return err
		}
	}
	for i := range b.Users {
		request := &authenticationv1.TokenRequest{}
		account := &corev1.ServiceAccount{ObjectMeta: named(fmt.Sprintf("user-%d", i))}
		if err := apiserver.Client.SubResource("token").Create(ctx, account, request); err != nil {
			return err
		}
		b.tokens = append(b.tokens, request.Status.Token)
	}
	return nil
}

// logIn is a client of the user, who has logged in.
func (b *bench) logIn(ctx context.Context, user int) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	people := &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true, MaxIdleConnsPerHost: 100, //nolint:gosec // it signs its own
	}}
	form := url.Values{"token": {b.tokens[user]}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.url+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := people.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK || answer.Request.URL.Path == "/login" {
		return nil, fmt.Errorf("user %d cannot log in: %s", user, answer.Status)
	}
	return people, nil
}
