# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests are written with: processes that own their files
and check themselves when they end, and polling instead of sleeping."""
