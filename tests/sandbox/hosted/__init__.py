# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Management clusters with hosted clusters, as HyperShift makes them on AWS: definitions, objects, the control planes behind them."""
