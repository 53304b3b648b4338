#!/bin/sh
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Run a program in the file system of an etcd pod. Called in a mount namespace of its own, which ends with the program:
# nothing of it is seen outside, and nothing is left.
# usage: member_root.sh ROOT IMAGE DATA DATA_SIZE TMP_SIZE PROGRAM [ARGUMENT...]
#   ROOT       an empty directory, becomes the root
#   IMAGE      what is in the pod's image, and the certificates; DATA what is at /var/lib/data
#   DATA_SIZE  how much fits on the volume at /var/lib, TMP_SIZE at /tmp
#   PROGRAM    and all paths in its arguments are those of the machine, below /.host
set -eu
root=$1 image=$2 data=$3 data_size=$4 tmp_size=$5
shift 5
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755 image "$root"
cp -RP "$image/." "$root/"
mkdir "$root/.host" "$root/tmp" "$root/var" "$root/var/lib"
mount --rbind / "$root/.host"
mount -t tmpfs -o "mode=1777,size=$tmp_size" tmp "$root/tmp"
mount -t tmpfs -o "mode=755,size=$data_size" data "$root/var/lib"
mkdir "$root/var/lib/data"
mount --bind "$data" "$root/var/lib/data"
# securityContext.readOnlyRootFilesystem
mount -o remount,bind,ro "$root"
exec env -i PATH=/usr/bin:/usr/sbin HOME=/ chroot "$root" "$@"
