package directory

import (
	"context"
	"slices"

	"doorward/auth/user"
	"doorward/state"
)

// CreateGroup makes a group without members. ErrTaken when it is there.
func (d *Directory) CreateGroup(ctx context.Context, name string) error {
	if err := checkGroup(name); err != nil {
		return err
	}
	_, err := d.store.Write(ctx,
		state.Put(groupPrefix+name, nil, 0).If(0), d.telling(event{Group: name}))
	if conflicted(err) != "" {
		return &TakenError{What: "group", Value: name}
	}
	if err != nil {
		return err
	}
	return d.readGroup(context.WithoutCancel(ctx), name)
}

// DeleteGroup takes all members out of a group, and then the group away. After an
// error some may be left in it. ErrNotFound when the store knows no such group; one
// of the configuration stays there.
func (d *Directory) DeleteGroup(ctx context.Context, name string) error {
	d.mu.RLock()
	_, there := d.index.groupNames()[name]
	d.mu.RUnlock()
	if !there {
		return missing("group", name)
	}
	for _, p := range d.All() {
		u := p.View().User
		if !slices.Contains(u.Groups, name) {
			continue
		}
		if err := d.RemoveMember(ctx, name, u.ID); err != nil {
			return err
		}
	}
	_, err := d.store.Write(ctx, state.Delete(groupPrefix+name), d.telling(event{Group: name}))
	if err != nil {
		return err
	}
	return d.readGroup(context.WithoutCancel(ctx), name)
}

// AddMember puts a user into a group, which has to be one of [Directory.Groups]:
// else a slip of the pen would make a group.
func (d *Directory) AddMember(ctx context.Context, group, id string) error {
	if !slices.Contains(d.Groups(), group) {
		return missing("group", group)
	}
	_, err := d.Update(ctx, id, func(u *user.User) error {
		u.Groups = append(u.Groups, group)
		return nil
	})
	return err
}

// RemoveMember takes a user out of a group. One who is not in it is no error.
func (d *Directory) RemoveMember(ctx context.Context, group, id string) error {
	_, err := d.Update(ctx, id, func(u *user.User) error {
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == group })
		return nil
	})
	return err
}
