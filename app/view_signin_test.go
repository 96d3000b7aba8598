package app_test

import (
	"testing"

	"doorward/app"
)

func TestViewTellsWhoSignsIn(t *testing.T) {
	s := staffed(t)
	before := s.App.View().SignIn
	if before == nil {
		t.Fatal("nothing about sign-in")
	}
	if _, err := s.AddUser(s.ctx, app.NewUser{Name: "carol"}); err != nil {
		t.Fatal(err)
	}
	after := s.App.View().SignIn
	if after.Users != before.Users+1 || after.Events["user-created"] != before.Events["user-created"]+1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
