package app

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"doorward/auth/audit"
	"doorward/auth/user"
)

func userPath(name string) string { return "/users/" + segment(name) }

// Users lists all users.
func (c Client) Users(ctx context.Context) ([]UserStatus, error) {
	return ask[[]UserStatus](ctx, c, http.MethodGet, "/users", nil)
}

// User tells of one user, by name, e-mail address or ID.
func (c Client) User(ctx context.Context, name string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodGet, userPath(name), nil)
}

// AddUser makes a user, and a link by which they choose a password unless they have
// one already or need none.
func (c Client) AddUser(ctx context.Context, u NewUser) (Invitation, error) {
	return ask[Invitation](ctx, c, http.MethodPost, "/users", u)
}

// InviteUser makes another such link; the one before is good no more.
func (c Client) InviteUser(ctx context.Context, name string) (Invitation, error) {
	return ask[Invitation](ctx, c, http.MethodPost, userPath(name)+"/invitation", nil)
}

// SetUserState makes a user "active" or "disabled", which ends their sessions.
func (c Client) SetUserState(ctx context.Context, name, state string) (UserStatus, error) {
	asked := userState{State: state}
	return ask[UserStatus](ctx, c, http.MethodPost, userPath(name)+"/state", asked)
}

// ApproveUser lets in a user who waits for approval, and no other.
func (c Client) ApproveUser(ctx context.Context, name string) (UserStatus, error) {
	asked := userState{State: string(user.Active), From: string(user.Pending)}
	return ask[UserStatus](ctx, c, http.MethodPost, userPath(name)+"/state", asked)
}

// SetPassword gives a user a password, which ends their sessions.
func (c Client) SetPassword(ctx context.Context, name, password string) (UserStatus, error) {
	asked := newPassword{password}
	return ask[UserStatus](ctx, c, http.MethodPost, userPath(name)+"/password", asked)
}

// DeleteUser deletes a user with all tokens and sessions.
func (c Client) DeleteUser(ctx context.Context, name string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, userPath(name), nil)
	return err
}

// Groups lists groups with their members.
func (c Client) Groups(ctx context.Context) ([]GroupStatus, error) {
	return ask[[]GroupStatus](ctx, c, http.MethodGet, "/groups", nil)
}

// Group tells of one group.
func (c Client) Group(ctx context.Context, name string) (GroupStatus, error) {
	return ask[GroupStatus](ctx, c, http.MethodGet, groupPath(name), nil)
}

// AddGroup makes a group, unless it is there.
func (c Client) AddGroup(ctx context.Context, name string) (GroupStatus, error) {
	return ask[GroupStatus](ctx, c, http.MethodPut, groupPath(name), nil)
}

// DeleteGroup takes all members out of a group, and then the group away.
func (c Client) DeleteGroup(ctx context.Context, name string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, groupPath(name), nil)
	return err
}

// JoinGroup puts a user into a group, which is made when there is none.
func (c Client) JoinGroup(ctx context.Context, group, name string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodPut, memberPath(group, name), nil)
}

// LeaveGroup takes a user out of a group.
func (c Client) LeaveGroup(ctx context.Context, group, name string) (UserStatus, error) {
	return ask[UserStatus](ctx, c, http.MethodDelete, memberPath(group, name), nil)
}

func groupPath(name string) string { return "/groups/" + segment(name) }

func memberPath(group, name string) string {
	return groupPath(group) + "/members/" + segment(name)
}

// Sessions lists the sessions of a user, or for "" of everybody.
func (c Client) Sessions(ctx context.Context, name string) ([]SessionStatus, error) {
	path := "/sessions"
	if name != "" {
		path += "?" + url.Values{"user": {name}}.Encode()
	}
	return ask[[]SessionStatus](ctx, c, http.MethodGet, path, nil)
}

// EndSession ends the session with that ID.
func (c Client) EndSession(ctx context.Context, id string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, "/sessions/"+segment(id), nil)
	return err
}

// EndSessions ends all sessions of a user, and returns how many there were.
func (c Client) EndSessions(ctx context.Context, name string) (int, error) {
	d, err := ask[done](ctx, c, http.MethodDelete, userPath(name)+"/sessions", nil)
	return d.Done, err
}

// Tokens lists the tokens of a user, or for "" of everybody.
func (c Client) Tokens(ctx context.Context, name string) ([]NamedToken, error) {
	path := "/tokens"
	if name != "" {
		path = userPath(name) + "/tokens"
	}
	return ask[[]NamedToken](ctx, c, http.MethodGet, path, nil)
}

// AddToken makes a token of a user.
func (c Client) AddToken(ctx context.Context, name string, t NewToken) (MadeToken, error) {
	return ask[MadeToken](ctx, c, http.MethodPost, userPath(name)+"/tokens", t)
}

// DeleteToken deletes the token with that ID.
func (c Client) DeleteToken(ctx context.Context, id string) error {
	_, err := ask[done](ctx, c, http.MethodDelete, "/tokens/"+segment(id), nil)
	return err
}

// Events returns the newest events, at most limit, the oldest first.
func (c Client) Events(ctx context.Context, limit int) ([]audit.Event, error) {
	return ask[[]audit.Event](ctx, c, http.MethodGet, "/events?limit="+strconv.Itoa(limit), nil)
}

// Why tells what becomes of a request.
func (c Client) Why(ctx context.Context, q Question) (Why, error) {
	return ask[Why](ctx, c, http.MethodGet, "/why?"+q.query().Encode(), nil)
}
