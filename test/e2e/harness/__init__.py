# SPDX-License-Identifier: Apache-2.0
"""The library of the end-to-end tests: processes that own their files and
check themselves when they end, and waiting for events instead of sleeping."""
