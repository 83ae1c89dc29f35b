package pages

import (
	"context"
	"errors"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// Users of the made-up runs.
const (
	Ada   = "ada"   // may do everything in shop and payments, and pause queues
	Grace = "grace" // may see shop
	Eve   = "eve"   // may see nothing
)

// NeverRan is a Test in shop that has no params, and never ran.
const NeverRan = "returns"

// AddUsers makes the namespaces and Tests of the made-up runs, a queue, and the users, and returns their tokens.
func AddUsers(ctx context.Context) (tokens map[string]string, err error) {
	everything := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"*"}}
	seeing := rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"testruns", "testruns/log", "testruns/artifacts", "tests"}, Verbs: []string{"get", "list", "watch"},
	}
	objects := []client.Object{namespaceOf("people"), namespaceOf("shop"), namespaceOf("payments")}
	for _, user := range []string{Ada, Grace, Eve} {
		objects = append(objects, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "people", Name: user}})
	}
	objects = append(objects, &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.TestQueueSpec{MaxRunning: 4}})
	suspended, priority := true, int32(5)
	objects = append(objects, &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: "nightly"}, Spec: v1alpha1.TestQueueSpec{
		MaxRunning: 2, MaxPending: 100, Suspend: &suspended, Priority: &priority, StartRate: v1alpha1.StartRate{Starts: 10},
		Namespaces: []string{"shop", "payments"}, Weights: []v1alpha1.NamespaceWeight{{Namespace: "shop", Weight: 3}},
	}})
	objects = append(objects, allowed("shop", Ada, everything)...)
	objects = append(objects, allowed("payments", Ada, everything)...)
	objects = append(objects, allowed("shop", Grace, seeing)...)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "queues"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"testqueues"}, Verbs: []string{"get", "list", "watch", "patch"},
	}}}
	objects = append(objects, role, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "queues"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}, Subjects: subjects(Ada),
	})
	for _, m := range series {
		objects = append(objects, testOf(m))
	}
	objects = append(objects, &v1alpha1.Test{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: NeverRan}, Spec: builders.TestSpec("true")})
	for _, object := range objects {
		if err := apiserver.Client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, err
		}
	}
	if err := sayHowFull(ctx); err != nil {
		return nil, err
	}
	tokens = map[string]string{}
	for _, user := range []string{Ada, Grace, Eve} {
		token, tokenErr := tokenOf(ctx, user)
		tokens[user], err = token, errors.Join(err, tokenErr)
	}
	return tokens, err
}

func tokenOf(ctx context.Context, user string) (string, error) {
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "people", Name: user}}
	err := apiserver.Client.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

// sayHowFull says what the operator says of the queues of the made-up runs.
func sayHowFull(ctx context.Context) error {
	for name, full := range map[string][2]int32{"default": {4, 2}, "nightly": {0, 1}} {
		queue := &v1alpha1.TestQueue{}
		if err := apiserver.Client.Get(ctx, client.ObjectKey{Name: name}, queue); err != nil {
			return err
		}
		oldest := metav1.NewTime(time.Now().Add(-20 * time.Minute))
		queue.Status = v1alpha1.TestQueueStatus{Running: &full[0], Pending: &full[1], OldestPending: &oldest}
		if err := apiserver.Client.Status().Update(ctx, queue); err != nil {
			return err
		}
	}
	return nil
}

func namespaceOf(name string) client.Object {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func subjects(user string) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "people", Name: user}}
}

func allowed(namespace, user string, rules ...rbacv1.PolicyRule) []client.Object {
	return []client.Object{
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user}, Subjects: subjects(user),
		},
	}
}

// testOf is the Test of a made-up series, with a param of each kind.
func testOf(m madeUp) client.Object {
	spec := builders.TestSpec("prove -v t/")
	spec.Description = "Everything that a customer of " + m.namespace + " does with " + m.test + "."
	firefox, yes := "firefox", true
	spec.Params = []v1alpha1.ParamSpec{
		{Name: "BROWSER", Description: "The browser to test with.", Enum: []string{"chromium", "firefox", "webkit"}, Default: &firefox},
		{Name: "BASE_URL", Description: "Where the shop is.", Required: &yes},
		{Name: "TAGS", Description: "Only tests with these tags."},
	}
	return &v1alpha1.Test{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: m.test}, Spec: spec}
}
