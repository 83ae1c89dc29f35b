package gitops

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// settings are those that config/argocd merges into Argo CD's own, by their names.
func settings(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(settingsFile)
	if err != nil {
		t.Fatal(err)
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &configMap); err != nil {
		t.Fatal(err)
	}
	return configMap.Data
}

const settingsFile = "../../config/argocd/argocd-cm.yaml"

// customization is a setting that has to be there.
func customization(t *testing.T, what, kind string) string {
	t.Helper()
	name := "resource.customizations." + what + ".testrun.dev_" + kind
	text := settings(t)[name]
	if text == "" {
		t.Fatalf("%s has no %s", settingsFile, name)
	}
	return text
}

// execute runs a script as Argo CD does, which is why nothing but the object is there beside Lua's packages, its base and its tables: Argo CD
// opens no other library for scripts of argocd-cm but a part of os, which no script of ours uses. It gives a script a second, too.
func execute(t *testing.T, script string, object map[string]any) (any, error) {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return fromLua(state.Get(-1))
}

// toLua makes numbers of numbers, tables of lists and objects, and nothing of null.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range value {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// fromLua makes a list of a table that is empty or has numbers as keys. Argo CD does so too.
func fromLua(value lua.LValue) (any, error) {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value), nil
	case lua.LString:
		return string(value), nil
	case lua.LNumber:
		if whole := int64(value); lua.LNumber(whole) == value {
			return whole, nil
		}
		return float64(value), nil
	case *lua.LTable:
		return fromTable(value)
	case *lua.LNilType:
		return nil, nil
	default:
		return nil, fmt.Errorf("the script returns a %s", value.Type())
	}
}

func fromTable(table *lua.LTable) (any, error) {
	list, object := []any{}, map[string]any{}
	var failed error
	table.ForEach(func(key, item lua.LValue) {
		value, err := fromLua(item)
		if err != nil {
			failed = err
		}
		if name, ok := key.(lua.LString); ok {
			object[string(name)] = value
		} else {
			list = append(list, value)
		}
	})
	switch {
	case failed != nil:
		return nil, failed
	case len(object) == 0:
		return list, nil
	case len(list) > 0:
		return nil, fmt.Errorf("a table has both names and numbers as keys: %v and %v", object, list)
	default:
		return object, nil
	}
}
